# SPDX-License-Identifier: MIT
"""The init of a zygote's box shares its box maker's memory: to copy it would be a tenth of what a small run costs.
What ends an init ends its own run and nothing else."""
import concurrent.futures
import ctypes
import os
import pathlib
import signal
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from suite import launcher, program as programs  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root's alone")

KCMP, KCMP_VM = {"x86_64": 312, "aarch64": 272}, 1  # linux/kcmp.h
RUNS, CLIENTS = 300, 8
BEGUN_S = 60
LONG = programs.Program("long", "import sys, time\nprint('begun', flush=True)\ntime.sleep(2)\nprint('ended')\n")


@pytest.fixture(scope="module", name="one")
def a_launcher():
    running = launcher.Launcher.of_tests("zygote", "--boxes", "8")
    try:
        running.warm(programs.Program("memory", "pass\n"))
        yield running
    finally:
        running.close()


def parents() -> dict[int, tuple[int, str]]:
    """Of each process its parent and its own name."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            head, _, rest = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        except OSError:
            continue
        found[int(pid)] = (int(rest.split()[1]), head.partition("(")[2])
    return found


def below(root: int, name: str) -> list[int]:
    known = parents()

    def is_below(pid):
        while pid in known and pid != root:
            pid = known[pid][0]
        return pid == root

    return [pid for pid, (_, own) in known.items() if own == name and is_below(pid)]


def inits_of(one) -> dict[int, int]:
    """Each init of a zygote's box, and its box maker."""
    makers, known = set(below(one.process.pid, "cuvette-maker")), parents()
    return {pid: known[pid][0] for pid in below(one.process.pid, "cuvette-init") if pid in known and known[pid][0] in makers}


def test_an_init_has_the_memory_of_its_box_maker(one):
    until = time.monotonic() + BEGUN_S
    while not (inits := inits_of(one)) and time.monotonic() < until:
        time.sleep(0.05)
    assert inits
    libc = ctypes.CDLL(None, use_errno=True)
    for init, maker in inits.items():
        assert libc.syscall(KCMP[os.uname().machine], init, maker, KCMP_VM, 0, 0) == 0, (init, maker)


def test_an_init_that_is_killed_takes_its_own_run(one):
    """With many that begin and end meanwhile in the same memory."""
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        long = pool.submit(one.send, LONG, [])
        until, ran = time.monotonic() + BEGUN_S, []
        while time.monotonic() < until and not (ran := below(one.process.pid, "python3")):
            time.sleep(0.02)
        assert ran, "the long run has not begun"
        [init] = [pid for pid in inits_of(one) if os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{ran[0]}/ns/pid")]
        short = [pool.submit(one.send, programs.Program("short", f"print({n} ** 3)\n"), []) for n in range(RUNS)]
        time.sleep(0.3)
        os.kill(init, signal.SIGKILL)
        others = [done.result() for done in short]
        ended = long.result()
    assert ended.status != "success" and "ended" not in ended.stdout, ended
    assert [(a.status, a.stdout) for a in others] == [("success", f"{n ** 3}\n") for n in range(RUNS)]
    assert {a.path for a in others} == {"zygote"}
