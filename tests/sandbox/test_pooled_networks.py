# SPDX-License-Identifier: MIT
"""Network namespaces of boxes in a zygote are used again, with many runs at once too: making and ending one costs
as much as a tenth of a run."""
import concurrent.futures
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from suite import launcher, program as programs  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root's alone")

RUNS, CLIENTS = 240, 8
BOXES_MAX = 30  # 12 here; 66 when the box maker's own sockets were counted in networks of boxes
# Linux numbers them and never uses a number again, as it does inodes.
CODE = "import socket\nwith socket.socket(socket.AF_UNIX) as s:\n    print(s.getsockopt(socket.SOL_SOCKET, 71, 8).hex())\n"


@pytest.fixture(scope="module", name="one")
def a_launcher():
    running = launcher.Launcher.of_tests("zygote", "--boxes", "8")
    try:
        running.warm(programs.Program("network", "pass\n"))
        yield running
    finally:
        running.close()


def test_networks_are_used_again(one):
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda _: one.send(programs.Program("network", CODE), []), range(RUNS)))
    if any("Protocol not available" in a.stderr for a in answers):
        pytest.skip("the kernel does not number networks")
    assert {(a.status, a.path) for a in answers} == {("success", "zygote")}, answers
    n = len({a.stdout for a in answers})
    assert n <= BOXES_MAX, n
