# SPDX-License-Identifier: MIT
"""What all runs share lies in huge pages (worker-image/zygote/huge.c), and where the kernel gives none runs are
forked all the same, with the same results."""
import contextlib
import ctypes
import mmap
import os
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from suite import launcher, program as programs  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root's alone")

PR_SET_THP_DISABLE, MADV_COLLAPSE, HUGE_BYTES = 41, 25, 2 << 20
CODE_KB = 4096  # two of them
RUNS = 20
# Memory of all kinds, in the parent of a fork of its own as well: constants, variables, small objects and large.
WORK = """import ctypes, os, sys
small = [str(n) for n in range(200_000)]
large = bytes(range(256)) * 40_000
pid = os.fork()
if pid == 0:
    small.clear()
    os._exit(len(large) % 251)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), len("".join(small)), sum(large), ctypes.c_int.in_dll(ctypes.pythonapi, "Py_OptimizeFlag").value)
"""
RESULT = f"{256 * 40_000 % 251} 1088890 {sum(range(256)) * 40_000} 0\n"


@contextlib.contextmanager
def without_huge_pages(disabled: bool):
    """For what is started inside: the flag passes on by fork and exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_THP_DISABLE, int(disabled), 0, 0, 0) == 0
    try:
        yield
    finally:
        assert libc.prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) == 0


@pytest.fixture(scope="module", name="one", params=(False, True), ids=("given", "refused"))
def a_launcher(request):
    with without_huge_pages(request.param):
        running = launcher.Launcher.of_tests("zygote")
    running.refused = request.param
    try:
        running.warm(programs.Program("huge", "pass\n"))
        yield running
    finally:
        running.close()


def zygote_of(root: int) -> int:
    """The only one of its name: it has started first."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError):
            words = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            name = pathlib.Path(f"/proc/{entry}/comm").read_text().strip()
            if name == "cuvette-zygote" and root in ancestors_of(int(entry)):
                found.append((int(words[19]), int(entry)))
    return min(found)[1]


def ancestors_of(pid: int) -> list[int]:
    chain = []
    while pid > 1:
        pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        chain.append(pid)
    return chain


def huge_code_kb(pid: int) -> int:
    text, size, counts = pathlib.Path(f"/proc/{pid}/smaps").read_text(), 0, False
    for line in text.splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            counts = line.split()[1] == "r-xp"
        elif counts and line.startswith("AnonHugePages:"):
            size += int(line.split()[1])
    return size


def can_collapse() -> bool:
    """Whether the kernel puts what is written already into a huge page when it is asked to."""
    libc = ctypes.CDLL(None, use_errno=True)
    with mmap.mmap(-1, 4 * HUGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
        start = ctypes.addressof(ctypes.c_char.from_buffer(area))
        start += -start % HUGE_BYTES
        ctypes.memset(start, 1, HUGE_BYTES)
        return libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(HUGE_BYTES), MADV_COLLAPSE) == 0


def test_code_stays_in_huge_pages(one):
    for _ in range(RUNS):
        assert one.send(programs.Program("huge", "print(1)\n"), []).stdout == "1\n"
    if not can_collapse():
        pytest.skip("the kernel gives no huge pages for what is there already")
    size = huge_code_kb(zygote_of(one.process.pid))
    assert size == 0 if one.refused else size >= CODE_KB


def test_runs_are_the_same(one):
    for _ in range(RUNS):
        answer = one.send(programs.Program("huge", WORK), [])
        assert (answer.status, answer.path, answer.stdout, answer.stderr) == ("success", "zygote", RESULT, ""), answer
