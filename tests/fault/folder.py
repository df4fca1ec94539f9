# SPDX-License-Identifier: MIT
"""What the programs of this folder share: the real service, its parts, a copy of
its programs in which one can be exchanged, and a look at what is left."""

import contextlib
import os
import pathlib
import shutil
import sys
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/api")]

import client  # noqa: E402  (tests/api/client.py)
from runner import state as states  # noqa: E402

PARTS = ("cuvette-launcher", "cuvette-builder", "cuvette-manager")
# Answers that say: nothing is wrong with the request, it can be sent again.
RETRYABLE = {500: {"internal"}, 503: {"unavailable", "overloaded", "draining", "no-space", "no-memory", "no-processes",
                                        "index-unreachable"}}
BUILT = client.BIN
wait_until = client.wait_until


def full() -> bool:
    """The long form: `make check-full`."""
    return os.environ.get("CUVETTE_TEST_FULL") == "1"


def scratch(name: str) -> pathlib.Path:
    folder = pathlib.Path(os.environ.get("TMPDIR", "/var/tmp")) / f"{name}-{os.getpid()}"
    folder.mkdir(mode=0o755)
    return folder


@contextlib.contextmanager
def programs():
    """A folder like build/bin whose programs may be exchanged; Service(bin=…) uses it."""
    folder = scratch("bin")
    try:
        for name in ("cuvette", *PARTS):
            shutil.copy(BUILT / name, folder / name)
        yield folder
    finally:
        shutil.rmtree(folder)


def exchange(folder: pathlib.Path, name: str, script: str | None) -> None:
    """Puts a shell script in a program's place, or the program itself back."""
    new = folder / f"{name}.new"
    if script is None:
        shutil.copy(BUILT / name, new)
    else:
        new.write_text(f"#!/bin/sh\n{script}\n")
        new.chmod(0o755)
    new.rename(folder / name)


@contextlib.contextmanager
def using(folder: pathlib.Path):
    """Services that are started meanwhile take their programs from the folder."""
    before, client.BIN = client.BIN, folder
    try:
        yield
    finally:
        client.BIN = before


def cgroups_of(pid: int) -> set[str]:
    """Those of the service whose supervisor has, or had, this process id."""
    return {path for path in states.cgroups() if f"-{pid}-" in os.path.basename(path)}


def new_mark() -> str:
    return "m" + uuid.uuid4().hex[:14]


def marked(mark: str, code: str) -> str:
    """A program that takes the mark as its process's name: a forked run has its zygote's command line."""
    return f"import ctypes\nctypes.CDLL(None).prctl(15, b'{mark}')\n{code}"


def processes_with(mark: str) -> list[int]:
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.joinpath("comm").read_text(errors="replace").strip().startswith(mark):
                    found.append(int(entry.name))
    return found


def part(service, name: str) -> int:
    """The part itself, of all that have its program: the supervisor's own child. One that was killed may be missing while
    runs work: a known environment needs no builder."""
    own, found = service.process.pid, []

    def is_there():
        parents = client._parents()
        found[:] = [pid for pid, program in service.pids().items() if program == name and parents.get(pid, (0,))[0] == own]
        return bool(found)

    client.wait_until(is_there, 5, f"{name} is there")
    return found[0]


def code_of(response) -> str:
    return response.json()["error"]["code"]


def is_retryable(response) -> bool:
    """A typed failure that may be sent again; one with 503 says when."""
    if code_of(response) not in RETRYABLE.get(response.status_code, ()):
        return False
    return response.status_code != 503 or int(response.headers.get("retry-after", "0")) >= 1


def works_within(service, seconds: float) -> float:
    """Sends runs until one is answered with its result; how long that took."""
    begun = time.monotonic()
    while True:
        with contextlib.suppress(client.httpx.TransportError):
            response = service.run("print('works')\n", timeout_s=seconds)
            if response.status_code == 200 and response.json()["stdout"] == "works\n":
                return time.monotonic() - begun
            assert is_retryable(response), response.text
        assert time.monotonic() - begun < seconds, "the service does not work again"
        time.sleep(0.1)
