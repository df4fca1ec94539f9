# SPDX-License-Identifier: MIT
"""What a service, or a part of it, may leave behind, and must not."""

import os
import pathlib
import time

from folder import cgroups_of, client


def all_processes() -> dict[int, tuple[int, str, str]]:
    """pid: (parent, state, name)"""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, rest = entry.joinpath("stat").read_text(errors="replace").partition("(")[2].rpartition(")")[::2]
                found[int(entry.name)] = (int(rest.split()[1]), rest.split()[0], name)
            except (OSError, IndexError, ValueError):
                continue
    return found


def below(pid: int) -> dict[int, tuple[int, str, str]]:
    """All descendants, zombies too."""
    table, found, todo = all_processes(), {}, [pid]
    while todo:
        parent = todo.pop()
        for child, row in table.items():
            if row[0] == parent and child not in found:
                found[child] = row
                todo.append(child)
    return found


def mounts_below(folder: pathlib.Path) -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:
        return [line.split()[4] for line in lines if line.split()[4].startswith(f"{folder}/")]


def net_namespaces() -> int:
    """How many the whole machine has, those that only a descriptor holds too; 0: it does not tell."""
    try:
        for line in pathlib.Path("/proc/slabinfo").read_text().splitlines():
            if line.startswith("net_namespace "):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def state_files(state: pathlib.Path) -> set[str]:
    """What lies in the state folder, without what is meant to grow: store, its
    register and logs, known environments, caches."""
    grows = ("nix/nix/store", "nix/nix/var", "nix/home", "nix/uv-cache", "nix/known", "nix/locks", "nix/leases",
             "nix/damaged", "nix/sdists", "nix/public-3", "nix/interpreters", "nix/cuvette.db", "nix/gc.lock",
             "nix/install.", "nix/resolve.")
    found = set()
    for folder, names, files in os.walk(state):
        relative = os.path.relpath(folder, state)
        if relative.startswith(grows):
            names.clear()
            continue
        found |= {path for path in (os.path.normpath(os.path.join(relative, name)) for name in files + names)
                  if not path.startswith(grows)}
    return found


# What a forked run that waits for its program is in: recvmsg, recvfrom, read, poll, ppoll
WAITS = {"47", "45", "0", "7", "271"}


def belongs(pid: int, name: str) -> bool:
    """Ours, a kept ruff, or a forked run that waits in its box; not a run that goes on."""
    if name.startswith("cuvette") or name in ("ruff", "nthcall"):
        return True
    try:
        return name == "python" and pathlib.Path(f"/proc/{pid}/syscall").read_text().split()[0] in WAITS
    except (OSError, IndexError):
        return True  # gone in this moment


def quiet(pid: int, seconds: float = 90) -> None:
    """Waits until a service that nobody uses has neither zombies nor processes of runs."""
    def unquiet():
        return {p: row for p, row in below(pid).items() if row[1] == "Z" or not belongs(p, row[2])}

    deadline = time.monotonic() + seconds
    while (left := unquiet()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left, f"left behind while idle: {left}"


def gone(supervisor: int, pids, state: pathlib.Path, seconds: float = 90) -> None:
    """After a service's end, whatever way it came: nothing of it runs or is mounted."""
    def left():
        table = all_processes()
        # A zombie is dead; whoever inherits it may take its time.
        return [pid for pid in pids if pid in table and table[pid][1] != "Z" and table[pid][2].startswith("cuvette")]

    deadline = time.monotonic() + seconds
    while left() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left(), "its processes are still there:\n" + "\n".join(describe(pid) for pid in left())
    while (busy := [path for path in cgroups_of(supervisor) if has_processes(path)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not busy, f"control groups with processes: {busy}"
    assert not mounts_below(state)


def describe(pid: int) -> str:
    """What a process that should be dead is doing, and who else is in its pid namespace."""
    def read(path: str) -> str:
        try:
            return pathlib.Path(f"/proc/{path}").read_text(errors="replace").strip()
        except OSError as error:
            return str(error)

    def namespace(other) -> str:
        try:
            return os.readlink(f"/proc/{other}/ns/pid_for_children")
        except OSError:
            return ""

    status = [line for line in read(f"{pid}/status").splitlines()
              if line.split(":")[0] in ("Name", "State", "PPid", "NSpid", "SigPnd", "ShdPnd", "Threads")]
    inside = [(other, row) for other, row in all_processes().items() if namespace(other) == namespace(pid) != ""]
    return f"{pid}: {status}\n{read(f'{pid}/stack')}\nin its pid namespace: {inside}"


def has_processes(cgroup: str) -> bool:
    for folder, _, files in os.walk(cgroup):
        if "cgroup.procs" in files:
            try:
                if pathlib.Path(folder, "cgroup.procs").read_text().split():
                    return True
            except OSError:
                continue
    return False
