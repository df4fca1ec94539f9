# SPDX-License-Identifier: MIT
"""The ways a program gets into a box: over HTTP to a service, here or elsewhere;
and no box at all, for the self-test. launcher.py has the one without HTTP. All
give an Observed."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from .program import Observed

START_S = 120
STOP_S = 90
REQUEST_SLACK_S = 90


class NoService(Exception):
    pass


def form(fields: list) -> tuple:
    """(content type, body) of multipart/form-data; a field is (name, file name or None, bytes)."""
    boundary = "cuvette-" + secrets.token_hex(12)
    out = b""
    for name, filename, data in fields:
        extra = f'; filename="{filename}"' if filename else ""
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + data + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", out + f"--{boundary}--\r\n".encode()


class Http:
    """A service by its URL. path: the way into a box that is asked for; None: none
    is, as for a service that has only one."""

    def __init__(self, url: str, key: str | None = None, path: str | None = None):
        self.path = path
        parts = urllib.parse.urlsplit(url)
        self.url, self.host, self.port, self.key = url, parts.hostname, parts.port or 80, key
        self.root = self._service_here(self.host, self.port)

    @staticmethod
    def _service_here(host: str, port: int) -> int | None:
        """The service's first process when it is on this machine: the parent of
        whoever has the socket that listens on that port."""
        if host not in ("127.0.0.1", "localhost", "::1"):
            return None
        inodes = set()
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with contextlib.suppress(OSError), open(table) as lines:
                rows = [line.split() for line in lines][1:]
                inodes |= {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")}
        for fd in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
            with contextlib.suppress(OSError):
                if os.readlink(fd) in inodes:
                    status = (fd.parent.parent / "status").read_text()
                    return int(re.search(r"PPid:\s+(\d+)", status).group(1))
        return None

    def degraded(self) -> set:
        """Layers that the service says are off."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        try:
            connection.request("GET", "/health")
            layers = json.loads(connection.getresponse().read())["components"]["sandbox"].get("layers", [])
            return {layer["layer"] for layer in layers if layer["state"] != "ok"}
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            raise NoService(f"GET /health of {self.url}: {error!r}") from error
        finally:
            connection.close()

    def send(self, program, arguments: list) -> Observed:
        fields = [("requirements", "requirements.txt", b"# none\n"), ("code", "main.py", program.source().encode())]
        fields += [(k, None, v.encode()) for k, v in program.limits.items()]
        if self.path:
            fields.append(("isolation", None, b"strict" if self.path == "cold" else b"auto"))
        if arguments:
            fields.append(("args", None, json.dumps(arguments).encode()))
        try:
            return self._observed(self.post(fields, program.timeout))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Observed(trouble=f"no proper answer: {error!r}")

    def post(self, fields: list, timeout: float = 20) -> dict:
        """The answer as it is; {"trouble": …} where it is none."""
        content_type, body = form(fields)
        headers = {"Content-Type": content_type, **({"X-API-Key": self.key} if self.key else {})}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout + REQUEST_SLACK_S)
        try:
            connection.request("POST", "/api/v1/run", body, headers)
            answer = connection.getresponse()
            data = answer.read()
            if answer.status != 200:
                return {"trouble": f"HTTP {answer.status}: {data[:300].decode('utf-8', 'replace')}"}
            return json.loads(data.decode("utf-8"))
        finally:
            connection.close()

    @staticmethod
    def _observed(d: dict) -> Observed:
        if "trouble" in d:
            return Observed(trouble=d["trouble"])
        lacking = {"stdout", "stderr", "return_code", "execution_time", "formatted_code", "lint_warnings", "success",
                   "status", "usage", "truncated"} - set(d)
        if lacking:
            return Observed(trouble=f"the answer lacks {sorted(lacking)}")
        if d["success"] != (d["status"] == "success" and d["return_code"] == 0):
            return Observed(trouble=f"success is {d['success']} with {d['status']} and {d['return_code']}")
        usage = d["usage"]
        return Observed(d["status"], d["return_code"], d.get("signal"), d["stdout"], d["stderr"], d["truncated"],
                        usage["wall"], usage["cpu_user"] + usage["cpu_system"], usage["max_memory"],
                        d.get("path", ""), d.get("why_cold") or "")

    def close(self):
        pass


class OwnService(Http):
    """A service started for the suite, on a state folder that has the store."""

    def __init__(self, binaries: pathlib.Path, state: str, path: str | None = None, environment: dict | None = None):
        self.secret = secrets.token_hex(12)
        self._log = tempfile.TemporaryFile("w+")
        # What a run must not see goes into the service's environment.
        environment = {**os.environ, **(environment or {}), "CUV_ESCAPE_SECRET": self.secret, "REDIS_PASSWORD": self.secret}
        self._process = subprocess.Popen([str(binaries / "cuvette"), "serve", "--listen", "127.0.0.1:0", "--state", state,
                                          "--pool", {"zygote": "0", "pool": "8"}.get(path, "2")],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, text=True,
                                         env=environment)
        try:
            super().__init__(self._wait_for_url(), None, path)
        except NoService:
            self.close()
            raise
        self.root = self._process.pid
        threading.Thread(target=self._process.stdout.read, daemon=True).start()

    def _wait_for_url(self) -> str:
        until = time.monotonic() + START_S
        while (left := until - time.monotonic()) > 0:
            if select.select([self._process.stdout], [], [], left)[0]:
                line = self._process.stdout.readline()
                if found := re.search(r"https?://\S+", line):
                    return found.group(0).rstrip("/.,")
                if not line:
                    break
        self._log.seek(0)
        raise NoService("the service did not start: " + self._log.read()[-600:].strip())

    def close(self):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


NOBODY = 65534


def _lower() -> None:
    """Even harmless programs don't run as root without a box."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


class Outside:
    """No box at all, for the self-test: what runs here must be found out."""

    def __init__(self):
        self.secret, self.root, self.url = secrets.token_hex(12), None, "outside"

    def send(self, program, arguments: list) -> Observed:
        with tempfile.TemporaryDirectory() as folder:
            main = pathlib.Path(folder) / "main.py"
            main.write_text(program.source())
            os.chmod(folder, 0o755)
            since = time.monotonic()
            try:
                done = subprocess.run([sys.executable, str(main), *arguments], cwd=folder, stdin=subprocess.DEVNULL,
                                      capture_output=True, timeout=program.timeout, check=False, preexec_fn=_lower,
                                      env={**os.environ, "CUV_ESCAPE_SECRET": self.secret})
            except subprocess.TimeoutExpired:
                return Observed(status="timeout", return_code=137)
        status = "success" if done.returncode == 0 else "error" if done.returncode > 0 else "killed"
        return Observed(status, done.returncode, None, done.stdout.decode("utf-8", "replace"),
                        done.stderr.decode("utf-8", "replace"), {}, time.monotonic() - since)

    def close(self):
        pass
