# SPDX-License-Identifier: MIT
"""A zygote is looked at before it is used, and a run before it is given its program. What a hostile package does after
that is noticed too: threads in the zygote, work of runs that wait, and words about a run that are not so."""
import concurrent.futures
import os
import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from suite import launcher, leftovers, packages, program as programs  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root's alone")

LOOKS_S = 20  # for which it is watched
NOTICED_S = 60
CPU_S = 5  # most of a run that waits: it is looked at each second; 10 here when nobody did
MEMORY = 96 << 20  # likewise: it takes 4 to 8 MiB a second
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SHORT = "print('answered')\n"
LONG = "import sys, time\nprint('begun', flush=True)\ntime.sleep(2)\nprint('answered')\n"


class Hostile:
    """A launcher with an environment that has one package."""

    def __init__(self, name: str, path: str):
        [self.package] = packages.load([name])
        self.store = packages.Store(pathlib.Path(os.environ["CUVETTE_TEST_STATE"]) / "nix/nix/store", [self.package])
        self.path = path

    def __enter__(self):
        self.launcher = launcher.Launcher.of_tests(self.path, "--boxes", "4", store=self.store.__enter__().path)
        until = time.monotonic() + NOTICED_S
        while self.send(SHORT).path == "cold" and time.monotonic() < until:
            time.sleep(0.1)
        return self

    def __exit__(self, *error):
        self.launcher.close()
        self.store.__exit__(*error)

    def send(self, text: str):
        name = self.package.store_name
        return self.launcher.send(programs.Program("package", text, limits={"timeout": "60"}), [], env=name, closure=(name,))

    def pids(self, name: str) -> list[int]:
        table = leftovers._processes()
        return [pid for pid in leftovers._below(table, self.launcher.process.pid) if table[pid].name == name]


def test_a_run_is_what_it_was_whatever_its_zygote_says():
    with Hostile("fork_forges_refusal", "zygote") as it, concurrent.futures.ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            long = pool.submit(it.send, LONG)
            time.sleep(0.7)
            short = it.send(SHORT)
            ended = long.result()
            assert (ended.status, ended.stdout, ended.trouble) == ("success", "begun\nanswered\n", "")
            assert short.status == "success"


def test_a_thread_in_a_zygote_ends_it():
    with Hostile("fork_starts_thread", "zygote") as it:
        it.send(SHORT)
        until = time.monotonic() + NOTICED_S

        def threads():
            found = []
            for pid in it.pids("cuvette-zygote"):
                try:
                    found.append(len(os.listdir(f"/proc/{pid}/task")))
                except OSError:
                    continue
            return found

        while any(n > 1 for n in threads()) and time.monotonic() < until:
            time.sleep(0.2)
        assert all(n == 1 for n in threads())
        assert it.send(SHORT).status == "success"


@pytest.mark.parametrize("name", ["fork_waits_busily", "fork_waits_with_memory"])
def test_a_run_that_waits_does_nothing(name):
    with Hostile(name, "pool") as it:
        cpu, memory, until = {}, {}, time.monotonic() + LOOKS_S
        while time.monotonic() < until:
            for pid in it.pids("python"):
                try:
                    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                cpu[pid] = (int(fields[11]) + int(fields[12])) / TICKS
                memory[pid] = int(fields[21]) * PAGE
            time.sleep(0.1)
        assert cpu, "none has waited"
        assert max(cpu.values()) < CPU_S and max(memory.values()) < MEMORY, (cpu, memory)
        assert it.send(SHORT).status == "success"
