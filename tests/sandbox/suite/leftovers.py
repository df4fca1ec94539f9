# SPDX-License-Identifier: MIT
"""What a run may leave on the machine: nothing. Looked for on the host, where
the suite runs beside the service; the canary looks from inside a box."""
import contextlib
import os
import pathlib
import pwd
import re
import time

from . import program as programs

MARK = "cuvette-escape"
PATIENCE_S = 90.0  # looked for until there is nothing: what is ending ends late on a machine that stands still for a while
CLOCK_S = 5  # by which a run would move the clock at least; what a machine stands still is in both of those that are compared
BOX_UIDS = range(1878910000, 1878910000 + 4096)  # lib/base/ids.h, with init's ids
LAUNCHER = "cuvette-launche"  # as the kernel cuts it
MAKER = "cuvette-maker"
RUFFS = 2  # that are kept at most
DESCRIPTOR_SLACK = 40
CGROUPS = pathlib.Path("/sys/fs/cgroup")


def _read(path) -> str:
    with contextlib.suppress(OSError), open(path, errors="replace") as f:
        return f.read()
    return ""


class Process:
    """One line of the table: who it is, whose child, and what file it executes."""

    def __init__(self, pid: int):
        stat, status = _read(f"/proc/{pid}/stat"), _read(f"/proc/{pid}/status")
        uid = re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)
        if not stat or not uid:
            raise ProcessLookupError(pid)
        rest = stat.rpartition(")")[2].split()
        self.pid, self.uid, self.name = pid, int(uid.group(1)), stat[stat.index("(") + 1:stat.rindex(")")]
        self.zombie, self.parent, self.threads = rest[0] == "Z", int(rest[1]), int(rest[17])
        self.file = self.pid_ns = None
        with contextlib.suppress(OSError):
            found = os.stat(f"/proc/{pid}/exe")
            self.file = (found.st_dev, found.st_ino)
            self.pid_ns = os.readlink(f"/proc/{pid}/ns/pid")

    def __str__(self):
        return f"process {self.pid} ({self.name}, uid {self.uid}, child of {self.parent})"


def _processes() -> dict:
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(ProcessLookupError):
                found[int(name)] = Process(int(name))
    return found


def clock_offset() -> float:
    """Of the wall clock against the one that nobody sets and that goes on in a machine that sleeps. Sampled together:
    where the machine stands still between two looks, the closest pair of several counts."""
    def look() -> tuple:
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        wall = time.time()
        after = time.clock_gettime(time.CLOCK_BOOTTIME)
        return after - before, wall - before

    return min(look() for _ in range(5))[1]


def _below(table: dict, root: int | None) -> set:
    """root and all that descend from it."""
    found, grown = {root} & set(table), {root}
    while grown:
        grown = {pid for pid, p in table.items() if p.parent in grown and pid not in found}
        found |= grown
    return found


def subordinate_uids() -> range:
    """Where the service was started by this ordinary user, boxes may take ids of
    the user's own range instead."""
    if os.geteuid() == 0:
        return range(0)
    user = ""
    with contextlib.suppress(KeyError):
        user = pwd.getpwuid(os.geteuid()).pw_name
    for line in _read("/etc/subuid").splitlines():
        owner, first, count = (line.split(":") + ["0", "0"])[:3]
        if owner in (user, str(os.geteuid())):
            return range(int(first), int(first) + int(count))
    return range(0)


class Leftovers:
    """Compares with how it was when this object was made, after the first runs.
    root: the service's first process, None where it is not on this machine."""

    slack = DESCRIPTOR_SLACK

    def __init__(self, root: int | None, state: str | None):
        self.root, self.state = root, state
        self._subordinate, self._told = subordinate_uids(), set()
        self._time_offset = clock_offset()
        self._kernel = self._settings()
        table = _processes()
        below = _below(table, root)
        self._ruff = self._ruff_file(table, below)
        self._launcher = next((pid for pid in below if table[pid].name == LAUNCHER and table[pid].parent == root), None)
        self._kept = below - self._standing(table)
        self._foreign = set(self._orphans(table))
        self._instance = self._find_instance()
        self._descriptors = self._count_descriptors()
        self._mounts = self._count_mounts()
        self._state_files = self._list_state()

    @staticmethod
    def _settings() -> dict:
        return {n: _read("/proc/sys/kernel/" + n) for n in ("hostname", "domainname", "core_pattern", "randomize_va_space", "pid_max")}

    def _ruff_file(self, table: dict, below: set) -> tuple | None:
        """The store's own, which is kept running for format and lint."""
        with contextlib.suppress(OSError, TypeError):
            links = os.path.join(self.state, "nix/nix/var/nix/gcroots/cuvette/ruff")
            found = os.stat(os.path.join(self.state, "nix/nix/store", os.path.basename(os.readlink(links)), "bin/ruff"))
            return found.st_dev, found.st_ino
        return next((table[pid].file for pid in below if table[pid].name == "ruff"), None)

    def _standing(self, table: dict) -> set:
        """Boxes that wait for a run: keeper, init, and a process that has not yet
        become a program; zygotes, and what waits in them; kept ruffs. Known by the
        file they execute, which no run can have, and by who is whose child."""
        found = set()
        if self._launcher not in table:
            return found
        file = table[self._launcher].file
        ours = {pid for pid in _below(table, self._launcher) if table[pid].file == file and not table[pid].zombie}
        keepers = [pid for pid in ours if table[pid].parent == self._launcher]
        zygotes_boxes = ruffs = 0
        for keeper in keepers:
            box = _below(table, keeper)
            if len(box) == 3 and box <= ours:
                found |= box
            elif len(box) == 3 and ruffs < RUFFS and [table[pid].file for pid in box - ours] == [self._ruff]:
                found |= box
                ruffs += 1
            elif makers := [pid for pid in box & ours if table[pid].name == MAKER and table[pid].parent == keeper]:
                inits, waiting, zygote = self._in_zygote(table, makers[0], file)
                found |= {keeper, makers[0], *inits, *waiting, *zygote}
                zygotes_boxes += len(inits)
        alone = [pid for pid in keepers if len(_below(table, pid)) == 1]
        return found | set(sorted(alone)[:zygotes_boxes])

    @staticmethod
    def _in_zygote(table: dict, maker: int, file: tuple) -> tuple:
        """All of these are the box maker's own children, and have none: what a run
        leaves behind becomes its box's init's. The zygote itself is one process; a
        run that waits is one for each init at most, and has one thread."""
        children = [p for p in table.values() if p.parent == maker and not p.zombie]
        inits = {p.pid_ns: p.pid for p in children if p.file == file}
        zygote = [p.pid for p in children if p.file != file and p.pid_ns == table[maker].pid_ns]
        waiting = {p.pid_ns: p.pid for p in children if p.pid_ns in inits and p.pid not in inits.values() and p.threads == 1}
        return list(inits.values()), list(waiting.values()), zygote[:1]

    def _find_instance(self) -> str | None:
        words = _read(f"/proc/{self._launcher}/cmdline").split("\0") if self._launcher else []
        return words[words.index("--instance") + 1] if "--instance" in words else str(self._launcher) if words else None

    def _count_descriptors(self) -> dict:
        out = {}
        for pid in self._kept:
            with contextlib.suppress(OSError):
                out[pid] = len(os.listdir(f"/proc/{pid}/fd"))
        return out

    def _count_mounts(self) -> dict:
        own = {"this machine": "self", **({"the launcher": self._launcher} if self._launcher else {})}
        return {name: len(_read(f"/proc/{pid}/mountinfo").splitlines()) for name, pid in own.items()}

    def _list_state(self) -> set:
        found = set()
        for folder, folders, files in os.walk(self.state or "/nonexistent"):
            folders[:] = [f for f in folders if os.path.join(folder, f) != os.path.join(self.state, "nix")]
            found |= {os.path.join(folder, f) for f in files + folders}
        return {f for f in found if not re.search(r"\.(log|lock|db|db-wal|db-shm)$", f)}

    def _is_box_uid(self, uid: int) -> bool:
        return uid in BOX_UIDS or uid in self._subordinate

    def _orphans(self, table: dict) -> list:
        """Of boxes' users, but below no launcher that lives: not ours, not another's."""
        held = set()
        for pid, p in table.items():
            if p.name == LAUNCHER:
                held |= _below(table, pid)
        return [pid for pid, p in table.items() if self._is_box_uid(p.uid) and pid not in held and not p.zombie]

    def _find(self) -> list:
        table = _processes()
        below = _below(table, self.root)
        standing = self._standing(table)
        left = (below - self._kept - standing) | (set(self._orphans(table)) - self._foreign)
        wrong = [str(table[pid]) for pid in sorted(left)]
        wrong += self._cgroups(standing) + self._files() + self._sockets() + self._kernel_objects()
        # A slot holds a few for itself; a leak of one a run is seen all the same.
        wrong += [f"descriptors of {table[pid].name}: {self._descriptors[pid]} before, {n} now"
                  for pid, n in self._count_descriptors().items()
                  if pid in table and n > self._descriptors.get(pid, n) + self.slack]
        wrong += [f"mounts of {name}: {self._mounts[name]} before, {n} now"
                  for name, n in self._count_mounts().items() if n > self._mounts.get(name, n)]
        if self._settings() != self._kernel:
            wrong.append("a kernel setting is another than before")
        if abs(clock_offset() - self._time_offset) > CLOCK_S:
            wrong.append("the clock was moved")
        return [w for w in wrong if w not in self._told]

    def _cgroups(self, standing: set) -> list:
        """Of our instance: no process that is no waiting box's, and no group that is
        neither a waiting box's nor a free slot's."""
        wrong = []
        if not self._instance:
            return wrong
        for folder in self._instance_folders():
            for slot in (f for f in folder.iterdir() if f.is_dir()):
                strangers = set(map(int, _read(slot / "cgroup.procs").split())) - standing
                if strangers:
                    wrong.append(f"cgroup {slot} holds {sorted(strangers)[:5]}")
                if any(f.is_dir() for f in slot.iterdir()):
                    wrong.append(f"cgroup {slot} has groups below it")
        return wrong

    def _instance_folders(self) -> list:
        return [pathlib.Path(top) / name for top, folders, _ in os.walk(CGROUPS) for name in folders
                if name == f"cuvette-{self._instance}"]

    def _files(self) -> list:
        wrong = []
        for top in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/dev/mqueue"):
            with contextlib.suppress(OSError):
                for entry in os.scandir(top):
                    with contextlib.suppress(OSError):
                        if MARK in entry.name or self._is_box_uid(entry.stat(follow_symlinks=False).st_uid):
                            wrong.append(f"file {entry.path}")
        return wrong + [f"file {path}" for path in sorted(self._list_state() - self._state_files)]

    def _sockets(self) -> list:
        wrong = []
        for name in ("tcp", "tcp6", "udp", "udp6", "raw"):
            for line in _read("/proc/net/" + name).splitlines()[1:]:
                if self._is_box_uid(int(line.split()[7])):
                    wrong.append(f"{name} socket {line.split()[1]}")
        return wrong + ["unix socket " + line.split()[-1] for line in _read("/proc/net/unix").splitlines()
                        if MARK + "-mark" in line or "cuvette-victim" in line]

    def _kernel_objects(self) -> list:
        wrong = []
        for name in ("shm", "sem", "msg"):
            for line in _read("/proc/sysvipc/" + name).splitlines()[1:]:
                if any(w.isdigit() and self._is_box_uid(int(w)) for w in line.split()[2:]) or line.split()[0] == str(0x637576):
                    wrong.append(f"System V {name} {line.split()[1]}")
        for line in _read("/proc/keys").splitlines():
            if MARK in line:
                wrong.append(f"key {line.strip()[:60]}")
        return wrong

    def find(self) -> list:
        """What is left once it had the time to go away; each thing is told once."""
        until = time.monotonic() + PATIENCE_S * programs.pace
        while (wrong := self._find()) and time.monotonic() < until:
            time.sleep(0.05)
        self._told |= set(wrong)
        return wrong
