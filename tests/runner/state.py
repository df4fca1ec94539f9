# SPDX-License-Identifier: MIT
"""State folders for tests: one with the store made and nothing else (the base),
and a copy of it for each suite, kept between runs so that wheels and environments
are there the second time."""

import contextlib
import errno
import fcntl
import hashlib
import os
import pathlib
import shutil
import stat
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = "base"
LEAVE_SECONDS = 30.0  # for what is just ending


def _others_may_pass(path: pathlib.Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in [path, *path.parents] if parent.exists())


def top() -> pathlib.Path:
    """build/test-state, unless a folder above it is closed: as root the service's
    parts run under user ids of their own, which have to get there."""
    here = ROOT / "build/test-state"
    if os.geteuid() != 0 or _others_may_pass(ROOT):
        return here
    tag = hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    return pathlib.Path(f"/var/tmp/cuvette-test-state-{tag}")


def base() -> pathlib.Path:
    return top() / BASE


def make_store(folder: pathlib.Path) -> None:
    """All images, uv, ruff and zygotes into a state folder: quick when they are there already."""
    subprocess.run([str(ROOT / "tools/image-store"), "--quiet", "--python", "all", str(folder)], check=True, stdin=subprocess.DEVNULL)


def _link_or_copy(source: pathlib.Path, into: pathlib.Path) -> None:
    target = into / source.name
    if subprocess.run(["cp", "-al", str(source), str(target)], stderr=subprocess.DEVNULL, check=False).returncode:
        remove(target)  # another file system, or too many links
        subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)


def _copy(source: pathlib.Path, target: pathlib.Path, way: tuple[str, ...]) -> None:
    """A folder; what `way` leads to in it is linked."""
    target.mkdir()
    for child in source.iterdir():
        if way == (child.name,):
            _link_or_copy(child, target)
        elif way and child.name == way[0]:
            _copy(child, target / child.name, way[1:])
        else:
            subprocess.run(["cp", "-a", "--reflink=auto", str(child), str(target)], check=True)
    status = source.stat()
    os.chown(target, status.st_uid, status.st_gid)
    shutil.copystat(source, target)


def copy(source: pathlib.Path, target: pathlib.Path, shared: bool = True) -> None:
    """A state folder as it is, owners and times included; source is not in use. The
    files of its store are the same ones, by hard links: nobody writes to them, and a
    gigabyte for each test would be most of what the tests do. A copy that shall have
    another owner, or files that are damaged in place, is not `shared`."""
    unfinished = target.with_name(target.name + ".unfinished")
    remove(unfinished)
    target.parent.mkdir(parents=True, exist_ok=True)
    _copy(source, unfinished, ("nix", "nix", "store") if shared else ())
    unfinished.rename(target)


def remove(folder: pathlib.Path) -> None:
    """Store paths are read-only folders, which an ordinary user has to undo first. Their
    files may be another store's, too."""
    if not folder.exists():
        return
    if os.geteuid() != 0:
        subprocess.run(["find", str(folder), "-type", "d", "!", "-perm", "-u=rwx", "-exec", "chmod", "u+rwx", "{}", "+"],
                       check=False)
    for again in range(30, -1, -1):
        try:
            shutil.rmtree(folder)
            return
        except OSError as e:  # a builder on its way out had a file to write, or to remove
            if not again or e.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                raise
            if not folder.exists():
                return
            time.sleep(1)


def prepare() -> None:
    folder = top()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    if not base().exists():
        print(f"  making the tests' store in {os.path.relpath(base())}", flush=True)
    make_store(base())


def of_suite(name: str) -> pathlib.Path:
    """The suite's own; brought up to date where image or tools have new pins."""
    folder = top() / name
    if not folder.exists():
        copy(base(), folder)
    make_store(folder)
    return folder


@contextlib.contextmanager
def scratch(name: str):
    """An empty TMPDIR that is gone afterwards, reachable by every user."""
    folder = top() / "tmp" / name
    remove(folder)
    folder.mkdir(parents=True)
    folder.chmod(0o1777)
    try:
        yield folder
    finally:
        remove(folder)


def _mounts_below(folders: tuple) -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        points = [line.split()[4] for line in mounts]
    return [f"mount {point}" for point in points if any(point.startswith(f"{folder}/") for folder in folders)]


def leftovers(temporary: pathlib.Path) -> list[str]:
    """Mounts below the suite's own folders, others' come and go meanwhile; the boxes' own live in
    namespaces and die with them."""
    return still_there(lambda: _mounts_below((temporary, top() / temporary.name)))


def still_there(look) -> list[str]:
    """What is just going away gets the time for it."""
    deadline = time.monotonic() + LEAVE_SECONDS
    while (left := look()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def cgroups() -> set[str]:
    """The services' control groups, of whichever hierarchy and depth."""
    found = set()
    for folder, below, _ in os.walk("/sys/fs/cgroup"):
        found |= {os.path.join(folder, name) for name in below if name.startswith("cuvette-")}
        below[:] = [name for name in below if not name.startswith("cuvette-")]
    return found


def stale_cgroups(before: set[str]) -> list[str]:
    """Those that came since and that no living launcher holds the lock of."""
    return still_there(lambda: _unlocked(cgroups() - before))


def _unlocked(paths: set[str]) -> list[str]:
    left = []
    for path in paths:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.append(f"control group {path}")
        except OSError:
            pass
        finally:
            os.close(fd)
    return left
