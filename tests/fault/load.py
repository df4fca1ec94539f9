# SPDX-License-Identifier: MIT
"""Clients that send runs without a pause and hold every answer against what it must be."""

import collections
import contextlib
import dataclasses
import random
import socket
import threading
import time

from folder import client, is_retryable

SECONDS_MAX = 200  # for one answer; nothing here runs for more than a second


@dataclasses.dataclass
class Outcome:
    """kind: ok, retry (typed, may be sent again), broken (no answer), refused (never accepted), wrong."""
    kind: str
    begun: float
    ended: float
    detail: str = ""


class Answer(client.RawAnswer):
    """What is_retryable() wants to know, of bytes."""

    @property
    def status_code(self) -> int:
        return self.status

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


def read_all(s: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionError):
        while chunk := s.recv(65536):
            data += chunk
    return data


def programs(rng: random.Random) -> tuple[str, bytes, str]:
    """A program, its stdin, and what it must print."""
    token = f"{rng.getrandbits(64):016x}"
    kind = rng.randrange(5)
    if kind == 0:
        return f"print('{token}')\n", b"", f"{token}\n"
    if kind == 1:
        pause = rng.uniform(0.02, 0.4)
        return f"import time\nprint('{token}', flush=True)\ntime.sleep({pause})\nprint('end')\n", b"", f"{token}\nend\n"
    if kind == 2:
        return ("import os, sys\nfor _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n"
                f"        import time\n        time.sleep(50)\nprint('{token}')\n"), b"", f"{token}\n"
    if kind == 3:
        return "import sys\nprint(sys.stdin.read())\n", token.encode() * 50, token * 50 + "\n"
    return f"import sys\nfor i in range(2000):\n    print(i, '{token}')\n", b"", \
        "".join(f"{i} {token}\n" for i in range(2000))


class Load:
    """n clients until stop(); `service` may be replaced while they run. `environment`
    makes the form fields of an environment from a client's random numbers."""

    def __init__(self, service, n: int, seed: int, environment=lambda rng: client.REQUIREMENTS, pause: float = 0.0):
        self.service, self.environment, self.pause = service, environment, pause
        self.outcomes: list[Outcome] = []
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self._client, args=(random.Random(f"{seed}-{i}"),), daemon=True)
                        for i in range(n)]

    def start(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(SECONDS_MAX + 20)
        assert not any(thread.is_alive() for thread in self.threads), "a client still waits for its answer"

    def counts(self) -> collections.Counter:
        with self.lock:
            return collections.Counter(outcome.kind for outcome in self.outcomes)

    def since(self, when: float, kind: str) -> list[Outcome]:
        """Those that began after that moment."""
        with self.lock:
            return [o for o in self.outcomes[-2000:] if o.begun >= when and o.kind == kind]

    def _client(self, rng: random.Random) -> None:
        while not self.stopping.is_set():
            outcome = self.one(rng)
            with self.lock:
                self.outcomes.append(outcome)
            if outcome.kind == "refused" or self.pause:
                time.sleep(0.05 if outcome.kind == "refused" else self.pause)

    def one(self, rng: random.Random) -> Outcome:
        code, stdin, want = programs(rng)
        body = (self.environment(rng) + client.part("code", code.encode(), "main.py") +
                client.part("timeout", str(client.RUN_SECONDS).encode()) +
                (client.part("stdin", stdin, "stdin") if stdin else b"") + client.END)
        begun = time.monotonic()
        try:
            s = self.service.connect(timeout=SECONDS_MAX)
        except OSError as error:
            return Outcome("refused", begun, time.monotonic(), str(error))
        with s:
            try:
                s.sendall(client.request(body, headers="Connection: close\r\n"))
            except OSError as error:
                return Outcome("refused", begun, time.monotonic(), str(error))
            try:
                data = read_all(s)
            except TimeoutError:
                return Outcome("wrong", begun, time.monotonic(), f"no answer within {SECONDS_MAX} s")
        return self.judge(data, want, begun)

    @staticmethod
    def judge(data: bytes, want: str, begun: float) -> Outcome:
        ended = time.monotonic()
        if not data:
            return Outcome("broken", begun, ended)
        answer = Answer(data)
        length = int(answer.headers.get("content-length", "-1"))
        if answer.status is None or len(answer.body) < length:
            return Outcome("broken", begun, ended, f"{len(data)} bytes")
        if len(answer.body) != length:
            return Outcome("wrong", begun, ended, f"more than one answer: {data[:2000]!r}")
        if answer.status == 200:
            run = answer.json()
            if run["status"] == "success" and run["stdout"] == want and run["stderr"] == "":
                return Outcome("ok", begun, ended, run.get("path", ""))
            return Outcome("wrong", begun, ended, answer.text[:2000])
        kind = "retry" if is_retryable(answer) else "wrong"
        return Outcome(kind, begun, ended, f"{answer.status} {answer.text[:2000]}")
