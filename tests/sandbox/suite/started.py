# SPDX-License-Identifier: MIT
"""A service started in unusual circumstances: behind another program that takes
rights or calls away first. It serves, or it says why it does not."""
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time

from . import program as programs, senders

READY_S, STOP_S, HOSTILE_S = 150, 90, 600
TRIES = 8  # of what has to be in time: a machine that is busy is late by itself now and then
ESCAPE = pathlib.Path(__file__).resolve().parent.parent / "escape"
HELLO = programs.Program("hello", "print('hello', sum(range(10)))")
LIMIT = programs.Program("limit", "import time\ntime.sleep(60)", limits={"timeout": "1"})


class Started:
    """words: what stands before `cuvette serve`. url is None where it refused, with
    status and text (all that it said) telling why."""

    def __init__(self, words: list, binaries: pathlib.Path, state, flags: tuple = (), **environment: str):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CUVETTE_")}
        self._log = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen([*map(str, words), str(binaries / "cuvette"), "serve", "--listen", "127.0.0.1:0",
                                          "--state", str(state), *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=self._log, text=True, cwd="/", env={**kept, **environment})
        self.url, self.status = self._ready_url(), None
        if self.url:
            threading.Thread(target=self._process.stdout.read, daemon=True).start()
        else:
            self.close()

    def _ready_url(self) -> str | None:
        if not select.select([self._process.stdout], [], [], READY_S)[0]:
            return None
        found = re.search(r"https?://\S+", self._process.stdout.readline())
        return found.group(0).rstrip("/.,") if found else None

    @property
    def text(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def close(self) -> None:
        """It ends when it is asked to, with its status; a hang is None."""
        if self.url:
            self._process.send_signal(signal.SIGTERM)
        try:
            self.status = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None and self._process.poll() is None:
            self.close()


def lacking(words: list, binaries: pathlib.Path, state, **environment: str) -> list:
    """The layers this host does not give to whom words make us, by what `cuvette
    doctor` says: they have to be allowed to be missing."""
    done = subprocess.run([*map(str, words), str(binaries / "cuvette"), "doctor", "--lacking", "--state", str(state)],
                          capture_output=True, text=True, check=False, timeout=READY_S, stdin=subprocess.DEVNULL, cwd="/",
                          env={**os.environ, **environment})
    return [name for name in done.stdout.strip().split(",") if name]


def allow(layers: list) -> tuple:
    return ("--allow-degraded", ",".join(layers)) if layers else ()


def wrong_with(url: str, hostile: list, degraded: set) -> list:
    """What does not hold of a service that runs: hello, a limit, its layers, and
    hostile programs by name."""
    sender, wrong = senders.Http(url), []
    hello, limit = sender.send(HELLO, []), sender.send(LIMIT, [])
    for _ in range(TRIES):
        if limit.trouble or limit.wall <= 1 + programs.WALL_SLACK_S:
            break
        limit = sender.send(LIMIT, [])
    if hello.trouble or (hello.status, hello.stdout) != ("success", "hello 45\n"):
        wrong.append(f"hello: {hello}")
    if limit.trouble or limit.status != "timeout" or limit.wall > 1 + programs.WALL_SLACK_S:
        wrong.append(f"limit: {limit}")
    if (off := sender.degraded()) != degraded:
        wrong.append(f"layers that are off: {sorted(off)}, not {sorted(degraded)}")
    done = subprocess.run([sys.executable, str(ESCAPE), "--url", url, *hostile], capture_output=True, text=True,
                          check=False, timeout=HOSTILE_S)
    lines = dict(re.findall(r"^ok - (\S+)(.*)", done.stdout, re.MULTILINE))
    # Skipped: what tries a layer that is off.
    held = [name for name, rest in lines.items() if "# SKIP" not in rest or any(layer in rest for layer in degraded)]
    if done.returncode or set(held) != set(hostile):
        wrong.append(f"hostile: {done.stdout[-800:]}{done.stderr[-400:]}")
    return wrong


class Report:
    """TAP lines, and the exit status that goes with them."""

    def __init__(self):
        self.failed, self._since = 0, time.monotonic()

    def add(self, name: str, wrong: list) -> None:
        now = time.monotonic()
        self.failed += bool(wrong)
        text = " | ".join(w.replace("\n", " ") for w in wrong)
        print(f"not ok - {name} ({now - self._since:.1f} s): {text}" if wrong else f"ok - {name}", flush=True)
        self._since = now
