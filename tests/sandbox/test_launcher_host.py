# SPDX-License-Identifier: MIT
"""What a launcher holds of the host when its seal has taken the host's files away.

It asks the kernel to let processes enter control groups without delay, unless it is
told not to: seen by the hierarchy that it holds for that, attached nowhere, of which
every process is a member."""
import contextlib
import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from suite import launcher  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root's alone")


def leads_to(fd: pathlib.Path) -> str:
    with contextlib.suppress(FileNotFoundError):  # it works meanwhile, and has closed it
        return os.readlink(fd)
    return ""


def holds_hierarchy(pid: int) -> bool:
    """Others' services may hold it too, so it is looked for among this process's descriptors."""
    roots = [str(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir() if leads_to(fd) == "/"]
    told = subprocess.run(["stat", "-L", "-f", "-c", "%T", *roots], capture_output=True, text=True, check=False) if roots else None
    return told is not None and "cgroupfs" in told.stdout.split()


def start(*options: str) -> launcher.Launcher:
    binaries = pathlib.Path(os.environ["CUVETTE_BIN"])
    boxrun = pathlib.Path(os.environ["CUVETTE_BUILD"]) / "tests/helpers/boxrun"
    store = pathlib.Path(os.environ["CUVETTE_TEST_STATE"]) / "nix/nix/store"
    return launcher.Launcher(binaries, boxrun, store, options=options)


def test_a_launcher_favors_moves():
    one = start()
    try:
        assert holds_hierarchy(one.process.pid)
        lines = pathlib.Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
        assert "name=cuvette" in [line.split(":")[1] for line in lines]
    finally:
        one.close()


def test_it_can_be_told_not_to():
    one = start("--favordynmods", "0")
    try:
        assert not holds_hierarchy(one.process.pid)
    finally:
        one.close()


def test_it_sees_how_much_memory_the_machine_has():
    one = start()
    try:
        held = [fd for fd in pathlib.Path(f"/proc/{one.process.pid}/fd").iterdir() if leads_to(fd).endswith("/meminfo")]
        assert [re.findall(r"^MemAvailable: +\d+ kB$", fd.read_text(), re.M) for fd in held]
    finally:
        one.close()
