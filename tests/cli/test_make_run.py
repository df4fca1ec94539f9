# SPDX-License-Identifier: MIT
# tests/run: seconds=900
"""`make run`: from a store to the first answer, quick the second time, gone after
Ctrl-C; as root and as an ordinary user."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import shell

BUILD = f"BUILD={os.path.relpath(shell.BIN.parent, shell.ROOT)}"


class MakeRun:
    """`make run` in a session of its own, as a terminal would start it."""

    def __init__(self, state: pathlib.Path, who=shell.ME, **environment):
        self.begun, self.lines, self.times = time.monotonic(), [], []
        self.process = subprocess.Popen(
            [*who.words(), "make", "run", f"STATE={state}", BUILD], cwd=shell.ROOT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=who.environment(PORT=str(shell.client.free_port()), **environment), start_new_session=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)
            self.times.append(time.monotonic() - self.begun)

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def wait_for(self, text: str, seconds: float) -> float:
        """When the line came, in seconds after the start."""
        deadline = time.monotonic() + seconds
        while True:
            for line, at in zip(self.lines, self.times):
                if text in line:
                    return at
            assert self.reader.is_alive() or text in self.text, f"it ended without {text!r}:\n{self.text}"
            assert time.monotonic() < deadline, f"no {text!r} within {seconds} s:\n{self.text}"
            time.sleep(0.01)

    def answer(self) -> dict:
        begin = self.lines.index("{\n")
        shell.wait_until(lambda: "}\n" in self.lines[begin:], 60, "the answer is whole")
        return json.loads("".join(self.lines[begin:self.lines.index("}\n", begin) + 1]))

    def interrupt(self) -> None:
        """Ctrl-C: SIGINT to the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)


@contextlib.contextmanager
def make_run(*words, **options):
    running = MakeRun(*words, **options)
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGINT)
        try:
            running.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()
        running.reader.join(timeout=120)
        running.process.stdout.close()


@pytest.fixture(params=["root", "user"], scope="module")
def someone(request):
    """(who, state): a store without any environment."""
    if request.param == "root":
        folder = shell.scratch() / "s"
        shell.states.copy(shell.client.base_state(), folder)
        yield shell.ME, folder
        shell.states.remove(folder)
    else:
        user = request.getfixturevalue("user")
        yield user, user.state


def test_first_second_and_beside_each_other(someone):
    who, state = someone
    with make_run(state, who=who) as first:
        first.wait_for("the service stays at", 240)
        answer = first.answer()
        assert answer["success"] is True and "hello from requests 2.31.0" in answer["stdout"]
        digest = answer["environment"]["digest"]
        url = re.search(r"cuvette: ready on (http://127\.0\.0\.1:\d+)", first.text).group(1)
        if who.allowed:
            assert f"WARNING: this host does not give all layers of isolation to uid {who.uid}" in first.text
            assert f"run: For this trial the service runs without: {who.allowed}" in first.text
            for layer in who.allowed.split(","):
                assert re.search(rf"run:   degraded  {layer} ", first.text)
        else:
            assert "WARNING" not in first.text

        # the line to copy works as it stands
        line = next(line.strip() for line in first.lines if line.strip().startswith("curl "))
        copied = subprocess.run(line, shell=True, cwd=shell.ROOT, capture_output=True, check=True, timeout=240,
                                env={**os.environ, "no_proxy": "*"})
        assert json.loads(copied.stdout)["environment"]["digest"] == digest

        with make_run(state, who=who) as beside:
            assert beside.process.wait(timeout=240) == 0
            beside.reader.join(timeout=120)
            assert "a service runs on" in beside.text and f"the service goes on at {url}" in beside.text
            assert beside.answer()["environment"]["digest"] == digest
        mine = list(shell.children(first.process))
        first.interrupt()
        first.process.wait(timeout=240)
        shell.wait_until(lambda: not shell.alive(mine), 10, "nothing of it goes on")

    with make_run(state, who=who) as second:
        second.wait_for('"success": true', 240)
        environment = second.answer()["environment"]
        assert environment["digest"] == digest and environment["cached"] is True


def test_it_starts_no_nix_and_no_apt_the_second_time(state):
    trace = shell.scratch() / "trace"
    with make_run(state) as first:
        first.wait_for("the service stays at", 240)
    traced = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace, "make", "run", f"STATE={state}",
                               BUILD], cwd=shell.ROOT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                              env=shell.clean_environment(PORT=str(shell.client.free_port())))
    text = ""
    for line in traced.stdout:
        text += line
        if "the service stays at" in line:
            break
    os.killpg(traced.pid, signal.SIGINT)
    traced.communicate(timeout=240)
    executed = {os.path.basename(path) for path in re.findall(r'execve\("([^"]*)".* (?:= 0|<unfinished \.{3}>)$', trace.read_text(), re.M)}
    assert '"success": true' in text and "cuvette-manager" in executed
    assert not {name for name in executed if name.startswith(("nix", "apt", "uv", "gcc", "cc", "pip", "git"))}


def test_a_busy_port_is_told(someone):
    who, state = someone
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run([*who.words(), "make", "run", f"STATE={state}", BUILD],
                              cwd=shell.ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240,
                              env=who.environment(PORT=str(taken.getsockname()[1])), check=False)
    assert done.returncode != 0 and re.search("in use|taken", done.stderr), done.stdout + done.stderr


def test_a_key_is_sent_and_not_shown(someone):
    who, state = someone
    with make_run(state, who=who, API_KEY="open-sesame-now") as running:
        running.wait_for("the service stays at", 240)
        assert running.answer()["success"] is True
        assert "open-sesame-now" not in running.text and '-H "X-API-Key: $API_KEY"' in running.text
