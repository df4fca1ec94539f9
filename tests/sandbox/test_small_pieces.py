# SPDX-License-Identifier: MIT
"""A program that writes byte by byte has its output read a few times, not once for each: what it writes would cost us
more than it."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from suite import launcher, leftovers, program as programs  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root's alone")

WRITES = 40000
READS_MAX = WRITES // 40  # 3,700 here when each was read as it came, 30 now, one in 2 ms
CODE = f"import os\nfor _ in range({WRITES}):\n    os.write(1, b'x')\n"


def reads(root: int) -> int:
    """System calls that read, of the keepers and the run's other processes of ours."""
    table, found = leftovers._processes(), 0
    for pid in leftovers._below(table, root):
        if table[pid].name == "cuvette-keeper":
            text = pathlib.Path(f"/proc/{pid}/io").read_text()
            found += int(text.partition("syscr:")[2].split()[0])
    return found


def test_small_pieces_are_read_together():
    one = launcher.Launcher.of_tests("zygote", "--boxes", "1")
    try:
        one.warm(programs.Program("pieces", "pass\n"))
        before = reads(one.process.pid)
        answer = one.send(programs.Program("pieces", CODE), [])
        n = reads(one.process.pid) - before
    finally:
        one.close()
    assert (answer.status, answer.path, len(answer.stdout)) == ("success", "zygote", WRITES), answer
    assert 0 < n < READS_MAX
