# SPDX-License-Identifier: MIT
"""What a run may leave on the machine: nothing. Looked for on the host, where
the suite runs beside the service; the canary looks from inside a box."""
import contextlib
import os
import pathlib
import pwd
import re
import time

MARK = "cuvette-escape"
PATIENCE_S = 4.0
BOX_UIDS = range(1878910000, 1878910000 + 4096)  # lib/base/ids.h, with init's ids
SERVICE = ("cuvette", "cuvette-manager", "cuvette-launcher", "cuvette-builder")
CGROUPS = pathlib.Path("/sys/fs/cgroup")


def _read(path) -> str:
    with contextlib.suppress(OSError), open(path, errors="replace") as f:
        return f.read()
    return ""


def _processes() -> dict:
    """pid → (parent, name, uid, start time)."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        stat, status = _read(f"/proc/{name}/stat"), _read(f"/proc/{name}/status")
        uid = re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)
        if stat and uid:
            rest = stat.rpartition(")")[2].split()
            found[int(name)] = (int(rest[1]), stat[stat.index("(") + 1:stat.rindex(")")], int(uid.group(1)), rest[19])
    return found


def subordinate_uids() -> range:
    """Where the service was started by this ordinary user, boxes may take ids of
    the user's own range instead."""
    if os.geteuid() == 0:
        return range(0)
    user = pwd.getpwuid(os.geteuid()).pw_name
    for line in _read("/etc/subuid").splitlines():
        owner, first, count = (line.split(":") + ["0", "0"])[:3]
        if owner in (user, str(os.geteuid())):
            return range(int(first), int(first) + int(count))
    return range(0)


class Leftovers:
    """Compares with how it was when this object was made (before any run).
    root: the service's first process, None where it is not on this machine."""

    def __init__(self, root: int | None, state: str | None):
        self.root, self.state = root, state
        self._subordinate = subordinate_uids()
        self._time_offset = time.time() - time.monotonic()
        self._kernel = self._settings()
        self._kept = self._descendants()
        self._descriptors = self._count_descriptors()
        self._mounts = self._count_mounts()
        self._state_files = self._list_state()

    def _settings(self) -> dict:
        names = ("hostname", "domainname", "core_pattern", "randomize_va_space", "pid_max", "ns_last_pid")
        return {n: _read("/proc/sys/kernel/" + n) for n in names if n != "ns_last_pid"}

    def _descendants(self) -> dict:
        if self.root is None:
            return {}
        table, found, grown = _processes(), {self.root}, True
        while grown:
            grown = {pid for pid, row in table.items() if row[0] in found} - found
            found |= grown
        return {pid: table[pid] for pid in found if pid in table}

    def _service(self) -> list:
        return [pid for pid in self._kept if os.path.exists(f"/proc/{pid}")]

    def _count_descriptors(self) -> dict:
        out = {}
        for pid in self._service():
            with contextlib.suppress(OSError):
                out[pid] = len(os.listdir(f"/proc/{pid}/fd"))
        return out

    def _count_mounts(self) -> dict:
        out = {"here": len(_read("/proc/self/mountinfo").splitlines())}
        for pid in self._service():
            out[pid] = len(_read(f"/proc/{pid}/mountinfo").splitlines())
        return out

    def _list_state(self) -> set:
        found = set()
        for folder, folders, files in os.walk(self.state or "/nonexistent"):
            folders[:] = [f for f in folders if os.path.join(folder, f) != os.path.join(self.state, "nix")]
            found |= {os.path.join(folder, f) for f in files + folders}
        return {f for f in found if not re.search(r"\.(log|lock|db|db-wal|db-shm)$", f)}

    def _is_box_uid(self, uid: int) -> bool:
        return uid in BOX_UIDS or uid in self._subordinate

    def _find(self) -> list:
        wrong = []
        mine = self._descendants()
        for pid, row in _processes().items():
            new_child = pid in mine and pid not in self._kept
            if (self._is_box_uid(row[2]) and pid not in self._kept) or new_child:
                wrong.append(f"process {pid} ({row[1]}, uid {row[2]}, child of {row[0]})")
        for folder in self._run_cgroups():
            pids = _read(folder / "cgroup.procs").split()
            if pids and not set(map(int, pids)) & set(self._kept):
                wrong.append(f"cgroup {folder} holds {pids[:5]}")
            elif folder.name.isdigit() and self.root is not None:
                wrong.append(f"cgroup {folder} is still there")
        wrong += self._files() + self._sockets() + self._kernel_objects()
        for what, before, now in (("descriptors", self._descriptors, self._count_descriptors()),
                                  ("mounts", self._mounts, self._count_mounts())):
            wrong += [f"{what} of {pid}: {before[pid]} before, {n} now" for pid, n in now.items() if n > before.get(pid, n)]
        if self._settings() != self._kernel:
            wrong.append("a kernel setting is another than before")
        if abs(time.time() - time.monotonic() - self._time_offset) > 5:
            wrong.append("the clock was moved")
        return wrong

    def _run_cgroups(self) -> list:
        return [pathlib.Path(folder) for folder, _, _ in os.walk(CGROUPS)
                if "/cuvette-" in folder and self._ours(folder)]

    def _ours(self, folder: str) -> bool:
        """Only the instance of the service under test: others may be at work.
        Without its first process all instances are looked at, for processes."""
        if self.root is None:
            return True
        instance = re.search(r"/cuvette-([a-z0-9_-]+)", folder).group(1)
        return instance in {str(pid) for pid in self._kept} or (self.state and instance in self.state)

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
        """What is left once it had the time to go away."""
        until = time.monotonic() + PATIENCE_S
        while (wrong := self._find()) and time.monotonic() < until:
            time.sleep(0.05)
        return wrong
