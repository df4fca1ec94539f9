# SPDX-License-Identifier: MIT
"""Straight to a launcher, without HTTP: one that the suite starts and keeps, and
the test client boxrun for each run. Whose run it is, which environment and which
zygote are then the suite's to say."""
import contextlib
import json
import os
import pathlib
import re
import secrets
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from .program import Observed
from .senders import REQUEST_SLACK_S, START_S, STOP_S, NoService

READY = 1  # lib/proto/messages.h
FAILURE = 3
CONTROL_FD = 3
PYTHON = "/usr/bin/python3"
WARM_RUNS = 100


def find_in_store(store: pathlib.Path, what: str) -> str:
    """The newest store path of that name; "" without one."""
    names = sorted(p.name for p in store.glob("*-" + what) if p.is_dir())
    return max(names, key=lambda name: (store / name).stat().st_ctime) if names else ""


class Launcher:
    """Started with its control socket and a socket that listens; boxrun connects."""

    def __init__(self, binaries: pathlib.Path, boxrun: pathlib.Path, store: pathlib.Path, path: str = "cold",
                 options: tuple = (), environment: dict | None = None, python: str = "3.11"):
        self.boxrun, self.store, self.path, self.url = boxrun, store, path, "launcher"
        image = "python" + python.replace(".", "")
        self.image = find_in_store(store, f"worker-image-{image}")
        self.zygote = find_in_store(store, "cuvette-zygote" + ("" if python == "3.11" else f"-{image}"))
        if not self.image:
            raise NoService(f"no worker image in {store}")
        if path != "cold" and not self.zygote:
            raise NoService(f"no zygote in {store}")
        self.secret, self.root, self.tenant = secrets.token_hex(12), os.getpid(), "escape"
        self.instance = "escape-" + secrets.token_hex(4)
        self._folder = tempfile.TemporaryDirectory(prefix="cuv-launcher-")
        os.chmod(self._folder.name, 0o755)
        self.socket_path = self._folder.name + "/socket"
        self.log = tempfile.TemporaryFile("w+")
        self.process, self._control = self._start(binaries / "cuvette-launcher", [*options, *self._pool_options(path)], environment)
        try:
            self._wait_ready()
        except NoService:
            self.close()
            raise

    @classmethod
    def of_tests(cls, path: str, *options, store: pathlib.Path | None = None) -> "Launcher":
        """With the programs and, without another, the store that tests/run names."""
        return cls(pathlib.Path(os.environ["CUVETTE_BIN"]), pathlib.Path(os.environ["CUVETTE_BUILD"]) / "tests/helpers/boxrun",
                   store or pathlib.Path(os.environ["CUVETTE_TEST_STATE"]) / "nix/nix/store", path=path, options=options)

    @staticmethod
    def _pool_options(path: str) -> list:
        return {"cold": [], "zygote": ["--pool", "0"], "pool": ["--pool", "8"]}[path]

    def _start(self, program: pathlib.Path, options: list, environment: dict | None) -> tuple:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self.socket_path)
        listener.listen(512)
        its_control, listen_fd = its.fileno(), listener.fileno()

        def place():  # the control socket is descriptor 3, whatever was there
            os.dup2(its_control, CONTROL_FD)
            os.set_inheritable(CONTROL_FD, True)

        if CONTROL_FD == listen_fd:
            listen_fd = os.dup(listen_fd)
        command = [str(program), "--store", str(self.store), "--instance", self.instance, "--listen-fd", str(listen_fd)]
        process = subprocess.Popen(command + options, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, close_fds=False,
                                   pass_fds=(), preexec_fn=lambda: (os.set_inheritable(listen_fd, True), place()),
                                   env={**os.environ, "CUV_ESCAPE_SECRET": self.secret, **(environment or {})})
        its.close()
        listener.close()
        return process, ours

    def _wait_ready(self) -> None:
        if select.select([self._control], [], [], START_S)[0]:
            with contextlib.suppress(OSError, struct.error):
                version, kind, _ = struct.unpack("<HHI", self._control.recv(65536)[:8])
                if (version, kind) == (1, READY):
                    return
        raise NoService("the launcher did not start: " + self.log_text()[-600:])

    def log_text(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def degraded(self) -> set:
        done = subprocess.run([str(self.boxrun), "--connect", self.socket_path, "--layers"], capture_output=True, text=True,
                              check=False, timeout=START_S)
        if done.returncode:
            raise NoService("the launcher does not tell its layers: " + done.stderr)
        return {line.partition(":")[0] for line in done.stdout.splitlines() if re.search(": (degraded|missing)", line)}

    def send(self, program, arguments: list, tenant: str | None = None, env: str = "", closure: tuple = ()) -> Observed:
        words = ["--connect", self.socket_path, "--image", self.image, "--tenant", tenant or self.tenant]
        words += ["--strict"] if self.path == "cold" else ["--zygote", self.zygote]
        words += [w for name in closure for w in ("--closure", name)]
        python = PYTHON
        if env:
            words, python = words + ["--env", env], f"/nix/store/{env}/bin/python"
        for name, value in program.limits.items():
            words += ["--limit", f"{name}={value}"]
        with tempfile.TemporaryDirectory(prefix="cuv-run-") as folder:
            main = pathlib.Path(folder) / "main.py"
            main.write_text(program.source())
            read_end, write_end = os.pipe()
            words += ["--file", f"main.py={main}", "--result-fd", str(write_end), "--", python, "main.py", *arguments]
            try:
                done = subprocess.run([str(self.boxrun), *words], stdin=subprocess.DEVNULL, capture_output=True,
                                      pass_fds=(write_end,), timeout=program.timeout + REQUEST_SLACK_S, check=False)
            except subprocess.TimeoutExpired:
                return Observed(trouble="boxrun hangs")
            finally:
                os.close(write_end)
                with open(read_end, "rb") as result:
                    text = result.read()
        if done.returncode or not text or b'"failure"' in text:
            return Observed(trouble=f"boxrun: {text.decode()} {done.stderr[-300:].decode('utf-8', 'replace')}")
        return self._observed(json.loads(text), done)

    def warm(self, program) -> None:
        """Runs it until it takes the path that this launcher was started for."""
        for _ in range(WARM_RUNS):
            if self.send(program, []).path == self.path:
                return
            time.sleep(0.1)
        raise NoService(f"no run is {self.path}: {self.log_text()[-600:]}")

    @staticmethod
    def _observed(d: dict, done) -> Observed:
        name = signal.Signals(d["signal"]).name if d["signal"] else None
        return Observed(d["status"], d["exit_code"], name, done.stdout.decode("utf-8", "replace"),
                        done.stderr.decode("utf-8", "replace"),
                        {"stdout": d["stdout_truncated"], "stderr": d["stderr_truncated"]}, d["wall_ms"] / 1000,
                        (d["cpu_user_ms"] + d["cpu_system_ms"]) / 1000, d["max_memory_bytes"], d.get("path", "cold"),
                        d.get("why_cold", ""))

    def close(self) -> None:
        """Closing the control socket is the order to stop."""
        self._control.close()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()
