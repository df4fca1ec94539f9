# SPDX-License-Identifier: MIT
"""Running one test program with a deadline, and seeing what it left behind.

The process that runs a suite is a child subreaper: whatever a test starts and
forgets becomes its child when the parent is gone, however often it forked or
made sessions of its own. So "what is left" needs no guessing by names.
"""

import ctypes
import os
import pathlib
import signal
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36
# For what is just ending, on a machine that stands still now and then; shorter where one is left on purpose.
GRACE_SECONDS = float(os.environ.get("CUVETTE_TEST_GRACE", "30"))


def become_subreaper() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def children() -> dict[int, str]:
    """Living children of this process, with their command lines."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # comm may hold anything; what follows its last ')' does not
            state, parent = entry.joinpath("stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                command = entry.joinpath("cmdline").read_bytes().replace(b"\0", b" ")
                found[int(entry.name)] = command.decode(errors="replace").strip()
        except (OSError, ValueError):
            continue
    return found


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def leftovers() -> list[str]:
    """Waits a moment for what is just ending, then names and kills the rest."""
    deadline = time.monotonic() + GRACE_SECONDS
    _reap()
    while children() and time.monotonic() < deadline:
        time.sleep(0.05)
        _reap()
    left = children()
    end = time.monotonic() + 60
    while children() and time.monotonic() < end:  # killing one can hand us its children
        for pid in children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
        _reap()
    return [f"{pid}: {command}" for pid, command in left.items()]


def run(command: list[str], log, environment: dict[str, str], seconds: float) -> int:
    """Exit status as a shell gives it (128 + signal); 124 when time ran out."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                 env=environment, start_new_session=True)
    except OSError as error:  # not built, not executable
        log.write(f"{command[0]}: {error.strerror}\n".encode())
        log.flush()
        return 127
    try:
        status = child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        return 124
    return status if status >= 0 else 128 - status
