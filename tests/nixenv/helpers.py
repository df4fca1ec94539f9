# SPDX-License-Identifier: MIT
"""What the tests of nixenv share. tests/README.md says what tests/run gives them."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CUVETTE_BUILD", ROOT / "build"))
BUILDER = BUILD / "bin" / "cuvette-builder"
ENVASK = BUILD / "tests" / "helpers" / "envask"
RECIPES = ROOT / "nixenv" / "nix"
PINS = json.loads((ROOT / "worker-image/image/python311.json").read_text())
DATE = "2026-11-01"
ANSWER_S = 280
PATIENCE_S = 60

sys.path.insert(0, str(ROOT / "tests"))

from runner import state as states  # noqa: E402


def need(name):
    """A folder that tests/run gives, by the variable that names it."""
    given = os.environ.get(name)
    if not given:
        pytest.skip("no state folder was given (run it by tests/run)")
    return pathlib.Path(given)


def suite_state():
    return need("CUVETTE_TEST_STATE")


@contextlib.contextmanager
def clean_state():
    """A state folder with a fresh store, gone afterwards."""
    base = need("CUVETTE_TEST_BASE")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="state-"))
    folder.chmod(0o755)
    try:
        states.copy(base, folder / "s")
        yield folder / "s"
    finally:
        states.remove(folder)


def owner(state):
    """The uid that owns a state's store: the one its builder runs as."""
    return os.stat(state / "nix").st_uid


def ids(state):
    uid = owner(state)
    return ["--uid", str(uid)] if os.geteuid() == 0 and uid != 0 else []


def command(state, requirements, *options):
    """envask's command line; requirements is the file's text."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ask-"))
    file = folder / "requirements.txt"
    file.write_text(requirements)
    date = [] if "--exclude-newer" in options else ["--exclude-newer", DATE]
    return [str(ENVASK), "--builder", str(BUILDER), "--state", str(state), *ids(state), *date, *options, str(file)]


def environment(extra=None):
    return {**os.environ, **(extra or {})}


def ask(state, requirements, *options, env=None, log=False):
    """The answers as dicts; with log also what was written to stderr."""
    done = subprocess.run(command(state, requirements, *options), capture_output=True, text=True, timeout=ANSWER_S,
                          env=environment(env), check=False, stdin=subprocess.DEVNULL)
    assert done.returncode in (0, 1), done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return (answers, done.stderr) if log else answers


def environment_of(state, requirements, *options, env=None):
    """The one environment; fails with what was said otherwise."""
    [answer] = ask(state, requirements, *options, env=env)
    assert "failure" not in answer, answer
    return answer


def failure_of(state, requirements, *options, env=None):
    [answer] = ask(state, requirements, *options, env=env)
    assert "failure" in answer, answer
    return answer["failure"]


def executed(trace):
    """The programs of all execve that came to be; strace splits a call in two lines
    where another process says something meanwhile."""
    begun, programs = {}, []
    for line in trace.splitlines():
        pid, _, call = line.partition(" ")
        if found := re.match(r' *execve\("([^"]+)"', call):
            begun[pid] = found[1]
        elif not re.match(r" *<\.\.\. execve resumed", call):
            continue
        if call.endswith(" = 0"):
            programs.append(begun[pid].rpartition("/")[2])
    return programs


def traced(tmp_path, argv, env=None):
    """Answers, and the programs that were executed."""
    log = tmp_path / "strace"
    done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-o", str(log), *argv],
                          capture_output=True, text=True, timeout=ANSWER_S, env=environment(env), check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], executed(log.read_text())


def physical(state, store_name):
    return state / "nix/nix/store" / store_name


def nix_env(state):
    """For Nix commands on a state's store, with the builder's own settings."""
    return {
        "PATH": "/usr/bin:/bin", "HOME": str(state / "nix/home"), "USER": "cuvette-build", "LC_ALL": "C.UTF-8",
        "NIX_REMOTE": str(state / "nix"), "NIX_CONF_DIR": str(state / "nix/recipes"), "NIX_USER_CONF_FILES": "",
    }


def nix(state, *argv):
    """The output of a Nix command, run as the store's owner."""
    uid = owner(state)
    other = {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 and uid != 0 else {}
    done = subprocess.run(argv, capture_output=True, text=True, env=nix_env(state), cwd="/", timeout=ANSWER_S,
                          check=False, stdin=subprocess.DEVNULL, **other)
    assert done.returncode == 0, done.stderr
    return done.stdout


def processes_of(session):
    """Command lines of the living processes of a session id."""
    found = {}
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, IndexError):
            continue
    return found


def wait_for(condition, seconds, what):
    """That long at least: a busy machine may stand still for a while."""
    end = time.monotonic() + max(seconds, PATIENCE_S)
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {max(seconds, PATIENCE_S)} s: {what}")


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def have(program):
    return shutil.which(program) is not None
