# SPDX-License-Identifier: MIT
"""A run that is over, in a zygote or in a box of its own, has its answer before the kernel has taken its box apart:
its init is held on its way out, by ptrace, and the answer comes all the same. A run that
leaves a process behind is not over before that is dead, and has no answer until then."""
import ctypes
import os
import pathlib
import platform
import signal
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from suite import launcher, program as programs  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root's alone")

PTRACE_SEIZE, PTRACE_DETACH, PTRACE_O_TRACEEXIT, PTRACE_EVENT_EXIT = 0x4206, 17, 0x40, 6
DEATH_S = 10  # the keeper's patience with an init (watch.c)
SOON_S = 30
CLOCK_NANOSLEEP = {"x86_64": "230", "aarch64": "115"}[platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

ENDS = "import sys, time\nprint({mark!r}, flush=True)\ntime.sleep(2)\nprint(time.time())\n"
LEAVES = """import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL, start_new_session=True)
time.sleep(2)
print(time.time())
"""


def program(code: str) -> programs.Program:
    return programs.Program("answer_first", code, limits={"timeout": 60})


@pytest.fixture(scope="module", name="one", params=("pool", "cold"))
def a_launcher(request):
    running = launcher.Launcher.of_tests(request.param)
    try:
        running.warm(program("pass\n"))
        yield running
    finally:
        running.close()


def below(pid: int) -> list[int]:
    """All processes under this one."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(entry)] = int(pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def command(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def init_of_sleeper(root: int) -> int:
    """The init whose box has the process that sleeps: the others wait for an order in recvmsg."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        mine = below(root)
        for pid in mine:
            try:
                call = pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[0]
                box = os.readlink(f"/proc/{pid}/ns/pid")
            except OSError:
                continue
            if call == CLOCK_NANOSLEEP:
                return next(p for p in mine if command(p) == "cuvette-init" and os.readlink(f"/proc/{p}/ns/pid") == box)
        time.sleep(0.02)
    raise AssertionError("no run sleeps")


def run(one, code: str, hold: bool) -> tuple:
    """The answer; how long after the program's last word it came; and whether its init was there still."""
    got = {}

    def send():
        got["answer"] = one.send(program(code), [])
        got["ns"] = time.time()

    sender = threading.Thread(target=send)
    sender.start()
    init = init_of_sleeper(one.process.pid)
    if hold and libc.ptrace(PTRACE_SEIZE, init, None, PTRACE_O_TRACEEXIT) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    sender.join(SOON_S)
    is_there = os.path.exists(f"/proc/{init}") and command(init) == "cuvette-init"
    if hold:
        _, status = os.waitpid(init, 0x40000000)  # __WALL: it stands in its exit
        assert status >> 8 == signal.SIGTRAP | PTRACE_EVENT_EXIT << 8
        assert libc.ptrace(PTRACE_DETACH, init, None, None) == 0
    assert not sender.is_alive()
    answer = got["answer"]
    assert (answer.status, answer.path) == ("success", one.path), answer
    return answer, got["ns"] - float(answer.stdout.split()[-1]), is_there


def test_the_answer_does_not_wait_for_init(one):
    _, late, is_there = run(one, ENDS.format(mark="ends"), hold=True)
    assert is_there
    assert late < DEATH_S - 1
    # The slot is as good as before.
    assert one.send(program("print(1)\n"), []).stdout == "1\n"


def test_what_is_left_is_waited_for(one):
    _, late, _ = run(one, LEAVES, hold=True)
    assert late >= DEATH_S - 1


def test_too_much_output_ends_alike(one):
    """Whether it is read before the program has ended or after."""
    answer = one.send(programs.Program("answer_first", "print('x' * 5000)\n", limits={"stdout_limit": 1000}), [])
    assert (answer.status, answer.signal, answer.path) == ("output-limit", "SIGKILL", one.path), answer
    assert answer.stdout == "x" * 1000
