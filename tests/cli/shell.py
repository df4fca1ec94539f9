# SPDX-License-Identifier: MIT
"""Starting `cuvette` as a shell would, and looking at what it leaves behind."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/api")]

import client  # noqa: E402  (tests/api/client.py)
from runner import state as states  # noqa: E402

BIN = client.BIN
CUVETTE = str(BIN / "cuvette")
HELLO = ROOT / "examples/hello"
DATE = (HELLO / "exclude_newer").read_text().strip()
SECONDS = 300
RUN_SECONDS = 60  # where a test says nothing of it: a machine may stand still for longer than the usual ten
wait_until = client.wait_until


def suite_state() -> pathlib.Path:
    if "CUVETTE_TEST_STATE" not in os.environ:
        states.prepare()
        return states.of_suite("cli")
    return pathlib.Path(os.environ["CUVETTE_TEST_STATE"])


def clean_environment(**more) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith(("CUVETTE_", "ZYGOTE")) and k not in ("PORT", "API_KEY", "POOL")}
    return {**kept, **more}


def scratch() -> pathlib.Path:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cli-", dir=os.environ.get("TMPDIR", "/var/tmp")))
    folder.chmod(0o755)
    return folder


@functools.cache
def lacking() -> str:
    """Layers that this host does not give to the ordinary user who runs the tests."""
    done = subprocess.run([CUVETTE, "doctor", "--lacking", "--state", str(suite_state())], capture_output=True,
                          text=True, check=True, timeout=SECONDS, env=clean_environment(), stdin=subprocess.DEVNULL)
    return done.stdout.strip()


def makes_cgroups() -> bool:
    return os.geteuid() == 0 or "cgroup-memory" not in lacking()


@dataclasses.dataclass
class User:
    """Who starts things: ourselves, or another uid by setpriv."""
    uid: int | None = None
    home: str = ""
    allowed: str = ""  # layers that this host can't give them
    state: pathlib.Path | None = None

    def words(self) -> list[str]:
        if self.uid is None:
            return []
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", "--"]

    def environment(self, **more) -> dict[str, str]:
        ours = {"HOME": self.home, "USER": "somebody"} if self.uid else {}
        if self.uid is None and os.geteuid() != 0:
            ours["CUVETTE_ALLOW_DEGRADED"] = lacking()
        return clean_environment(**{**ours, **more})


ME = User()


def patient(words: tuple) -> list[str]:
    """A run's words with a wall time that is not reached by chance."""
    words = list(map(str, words))
    return ["run", "--timeout", str(RUN_SECONDS), *words[1:]] if words[:1] == ["run"] and "--timeout" not in words else words


def start(*words, who: User = ME, cwd=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
          stderr=subprocess.PIPE, **environment) -> subprocess.Popen:
    return subprocess.Popen([*who.words(), CUVETTE, *patient(words)], cwd=cwd or "/", stdin=stdin, stdout=stdout,
                            stderr=stderr, env=who.environment(**environment))


def cuvette(*words, who: User = ME, input: bytes | None = None, cwd=None,
            **environment) -> subprocess.CompletedProcess:
    """Runs it to its end; stdout and stderr as text."""
    given = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run([*who.words(), CUVETTE, *patient(words)], cwd=cwd or "/", capture_output=True,
                          timeout=SECONDS, env=who.environment(**environment), check=False, **given)
    done.stdout, done.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return done


def program(text: str) -> str:
    """A file with a program; the runner removes the folder."""
    folder = scratch()
    path = folder / "main.py"
    path.write_text(text)
    path.chmod(0o644)
    return str(path)


def requirements(text: str) -> str:
    path = scratch() / "requirements.txt"
    path.write_text(text)
    path.chmod(0o644)
    return str(path)


@contextlib.contextmanager
def service(state: pathlib.Path, *flags, who: User = ME, **environment):
    """`cuvette serve` on a free port, ready; ended by SIGTERM, which must give 0."""
    log = scratch() / "service.log"
    with open(log, "wb") as err:
        process = start("serve", "--listen", "127.0.0.1:0", "--state", state, *flags, who=who, stderr=err,
                        **environment)
    try:
        line = process.stdout.readline().decode()
        assert line.startswith("cuvette: ready on http://127.0.0.1:"), f"{line!r}\n{log.read_text()}"
        process.url, process.log, process.state = line.split()[-1], log, state
        yield process
        if process.poll() is None:
            pids = list(client.descendants(process.pid))
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=SECONDS) == 0, log.read_text()[-4000:]
            wait_until(lambda: not any(pid in client._parents() for pid in pids), 5, "its processes ended")
            assert process.stdout.read() == b"", "one line on stdout, no more"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def children(process: subprocess.Popen) -> dict[int, str]:
    return client.descendants(process.pid)


def child(process: subprocess.Popen, name: str) -> int:
    found = [pid for pid, its_name in children(process).items() if its_name == name]
    assert found, f"no {name} among {children(process)}"
    return min(found)


def alive(pids) -> list[int]:
    there = client._parents()
    return [pid for pid in pids if pid in there]


def cgroups_of(pid: int) -> list[str]:
    """Control groups that the `cuvette` with this number made, for boxes and builder."""
    found = []
    for folder, below, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(folder, name) for name in below
                  if name.startswith(("cuvette-", "cuvette_builder-")) and f"-{pid}-" in name]
    return found


@contextlib.contextmanager
def other_user():
    """A fresh uid with a home and a copy of the store; the layers this host does not
    give them are found out by `cuvette doctor`."""
    uid = 1878950000 + os.getpid() % 10000
    folder = pathlib.Path(os.environ.get("TMPDIR", "/var/tmp")) / f"u{uuid.uuid4().hex[:6]}"
    try:
        folder.mkdir(parents=True)
        states.copy(client.base_state(), folder / "s", shared=False)
        subprocess.run(["chown", "-R", f"{uid}:{uid}", str(folder)], check=True)
        who = User(uid=uid, home=str(folder), state=folder / "s")
        lacking = cuvette("doctor", "--lacking", "--state", who.state, who=who)
        assert lacking.returncode == 0, lacking.stdout + lacking.stderr
        who.allowed = lacking.stdout.strip()
        yield who
    finally:
        states.remove(folder)
