# SPDX-License-Identifier: MIT
"""What a service holds while nobody uses it, and a report that is TAP."""

import collections
import os
import pathlib
import time

import folder
import leftovers

# Objects of others on this machine come and go too; a leak would be one a run.
OBJECTS = ("net_namespace", "user_namespace", "pid_namespace", "mnt_cache", "sock_inode_cache", "task_struct")


def objects() -> dict[str, int]:
    try:
        lines = pathlib.Path("/proc/slabinfo").read_text().splitlines()[2:]
    except OSError:
        return {}
    return {line.split()[0]: int(line.split()[1]) for line in lines if line.split()[0] in OBJECTS}


def more_objects(before: dict[str, int], most_more: int, seconds: float = 90) -> dict[str, tuple[int, int]]:
    """Those that stay so many more: what others have comes and goes, a leak does not."""
    until, more = time.monotonic() + seconds, before
    least = objects()
    while more and time.monotonic() < until:
        least = {name: min(n, least[name]) for name, n in objects().items()}
        more = {name: (before[name], n) for name, n in least.items() if n > before[name] + most_more}
        time.sleep(1 if more else 0)
    return more


def anonymous(pid: int) -> int:
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * int(text.partition("Anonymous:")[2].split()[0])


class Look:
    def __init__(self, service):
        supervisor = service.process.pid
        main = {"cuvette": supervisor, **{name: folder.part(service, name) for name in folder.PARTS}}
        self.pids = main
        self.memory = {name: anonymous(pid) for name, pid in main.items()}
        self.descriptors = {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in main.items()}
        self.processes = collections.Counter(row[2] for row in leftovers.below(supervisor).values())
        self.cgroups = sum(len(below) for path in folder.cgroups_of(supervisor) for _, below, _ in os.walk(path))
        self.files = leftovers.state_files(service.state)
        self.objects = objects()

    def __str__(self):
        memory = {name: f"{bytes_ / 2**20:.1f} MiB" for name, bytes_ in self.memory.items()}
        return f"{memory} descriptors {self.descriptors} processes {dict(self.processes)} groups {self.cgroups} {self.objects}"


class Report:
    failed = False

    def check(self, name: str, wrong) -> None:
        print(f"{'not ok' if wrong else 'ok'} - {name}", flush=True)
        if wrong:
            print(f"  {str(wrong)[:3000]}", flush=True)
            self.failed = True
