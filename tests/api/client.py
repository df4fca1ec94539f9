# SPDX-License-Identifier: MIT
"""A real service and ways to talk to it: httpx for what is well-formed, raw
sockets for what is not."""

import contextlib
import functools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid

import httpx

BIN = pathlib.Path(os.environ.get("CUVETTE_BIN", "build/bin")).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
READY_SECONDS = 120
STOP_SECONDS = 120
PATIENCE_S = 60
RUN_SECONDS = 60  # wall time where a test says nothing of it: a machine may stand still for longer than the usual ten
# Day-independent answers: the resolver sees the index as it was then.
DATE = "2024-09-01T00:00:00Z"
# The module contract.py where each answer is to be checked: in tests/api.
CHECKED = None

sys.path.insert(0, str(ROOT / "tests"))
from runner import lateness, state as states  # noqa: E402
from runner.lateness import Late  # noqa: E402


def one_good_of(tries: int, told: bool = True):
    """For a test of what has to be done in a time that the service, not the test, sets (three seconds for
    a ruff, half of one for a document, a run's own short limit): a machine that stands still for longer
    makes it fail once in a while, a fault each time. Tried again is what was late, and nothing else; the last
    try's failure is the test's. told: see lateness.seen."""
    def wrapped(test):
        @functools.wraps(test)
        def trying(*words, **names):
            for _ in range(tries - 1):
                try:
                    with lateness.seen(told):
                        return test(*words, **names)
                except Late as error:
                    print(f"once more: {error}")
                time.sleep(3)
            return test(*words, **names)
        return trying
    return wrapped


def free_port() -> int:
    """Below those that the kernel gives to whoever asks for any: nobody takes it meanwhile."""
    while True:
        port = random.SystemRandom().randrange(10000, 30000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def base_state() -> pathlib.Path:
    """A state folder with the store and nothing else; nobody serves from it."""
    if "CUVETTE_TEST_BASE" not in os.environ:
        states.prepare()
        return states.base()
    return pathlib.Path(os.environ["CUVETTE_TEST_BASE"])


def suite_state() -> pathlib.Path:
    if "CUVETTE_TEST_STATE" not in os.environ:
        states.prepare()
        return states.of_suite("api")
    return pathlib.Path(os.environ["CUVETTE_TEST_STATE"])


@contextlib.contextmanager
def fresh_state():
    """A state folder that knows no environment yet. Its path is short: sockets live in it."""
    folder = pathlib.Path(os.environ.get("TMPDIR", "/var/tmp")) / uuid.uuid4().hex[:8]
    states.copy(base_state(), folder)
    try:
        yield folder
    finally:
        states.remove(folder)


def tool(name: str, state: pathlib.Path | None = None) -> str:
    """uv or ruff as the service uses it, straight from the store."""
    state = state or suite_state()
    links = state / "nix/nix/var/nix/gcroots/cuvette"
    physical = state / "nix/nix/store" / pathlib.Path(os.readlink(links / name)).name
    found = [path for path in physical.rglob(name) if path.is_file() and os.access(path, os.X_OK)]
    assert found, f"no {name} below {physical}"
    return str(found[0])


def raw_path(request: httpx.Request) -> str:
    """As it was sent: a part of it may have slashes of its own, encoded."""
    return request.url.raw_path.decode().partition("?")[0]


class Service:
    """`cuvette serve` on a free port. Its log is kept as a file of JSON lines."""

    def __init__(self, state: pathlib.Path, *flags: str, **environment: str):
        self.state, self.flags, self.environment = state, flags, environment
        self.log = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"service-{uuid.uuid4().hex[:8]}.log"
        self.process, self.url, self.port, self.ready_line = None, None, None, None

    def start(self) -> "Service":
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CUVETTE_")}
        environment.update(self.environment)
        out = self.log.with_suffix(".out")
        with open(self.log, "wb") as log, open(out, "wb") as stdout:
            self.process = subprocess.Popen(
                [BIN / "cuvette", "serve", "--listen", "127.0.0.1:0", "--state", self.state, *self.flags],
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=log, env=environment)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            lines = out.read_text().splitlines(keepends=True)
            if lines and lines[0].endswith("\n"):
                self.ready_line = lines[0].strip()
                break
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        found = re.search(r"http://(?:127\.0\.0\.1|0\.0\.0\.0):(\d+)", self.ready_line or "")
        if not found:
            text = out.read_text() + self.log.read_text(errors="replace")
            self.kill()
            raise AssertionError(f"no ready line with a URL:\n{text}")
        self.port = int(found.group(1))
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=STOP_SECONDS)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=STOP_SECONDS)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            self.kill()

    def log_lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()

    def pids(self) -> dict[int, str]:
        """The service's processes: pid and program name."""
        return descendants(self.process.pid)

    def pid_of(self, program: str) -> int:
        found = [pid for pid, name in self.pids().items() if name == program]
        assert found, f"no {program} among {self.pids()}"
        return min(found)

    # --- requests ---

    def client(self, timeout: float = 300) -> httpx.Client:
        # There is no TLS here; to load the host's certificates would be most of a request.
        return httpx.Client(base_url=self.url, timeout=timeout, trust_env=False, verify=False,
                            event_hooks={"response": [self.check_answer]})

    def check_answer(self, answer: httpx.Response) -> None:
        """Each answer is as the document of the API says, or the test that got it fails."""
        lateness.look_at(answer)
        if not CHECKED:
            return
        # A stream is read by the test that asked for it.
        is_short = int(answer.headers.get("content-length", 1 << 40)) <= CHECKED.BYTES_MAX
        body = answer.read() if is_short and answer.request.method != "HEAD" else None
        CHECKED.of_build(BIN.parent).check(answer.request.method, raw_path(answer.request), answer.status_code,
                                           answer.headers, body)

    def post(self, files: list, data: dict | None = None, timeout: float = 300) -> httpx.Response:
        patient = {} if any(name == "timeout" for name, _ in files) else {"timeout": str(RUN_SECONDS)}
        with self.client(timeout) as client:
            return client.post("/api/v1/run", files=files, data={**patient, **(data or {})})

    def run(self, code, requirements="# none\n", timeout_s: float = 300, stdin=None, **fields) -> httpx.Response:
        """One upload as a browser or curl sends it; fields become form fields."""
        files = [("requirements", ("requirements.txt", _bytes(requirements), "text/plain")),
                 ("code", ("main.py", _bytes(code), "text/x-python"))]
        if stdin is not None:
            files.append(("stdin", ("stdin", _bytes(stdin), "application/octet-stream")))
        data = {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
        return self.post(files, data, timeout_s)

    def answer(self, code, requirements="# none\n", **fields) -> dict:
        response = self.run(code, requirements, **fields)
        assert response.status_code == 200, response.text + self.trouble()
        return response.json()

    def trouble(self) -> str:
        """What the service's log says went wrong, last lines last."""
        lines = [line for line in self.log.read_text().splitlines() if '"error"' in line or '"warn' in line]
        return "\n" + "\n".join(lines[-10:])

    def get(self, path: str, **options) -> httpx.Response:
        with self.client() as client:
            return client.get(path, **options)

    def healthy(self) -> bool:
        """Now or soon: a part that does not answer within two seconds is told for one."""
        deadline = time.monotonic() + PATIENCE_S
        while not (well := self.get("/health").status_code == 200) and time.monotonic() < deadline:
            time.sleep(0.2)
        return well

    def connect(self, timeout: float = 120) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def raw(self, data: bytes, timeout: float = 120, shut: bool = False) -> "RawAnswer":
        """Sends exactly these bytes and reads until the service closes or answers."""
        with self.connect(timeout) as s:
            with contextlib.suppress(ConnectionError):  # it may refuse before it has read all
                s.sendall(data)
                if shut:
                    s.shutdown(socket.SHUT_WR)
            return read_answer(s)


def _bytes(text) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


class RawAnswer:
    """status is None when the connection ended without an answer."""

    def __init__(self, data: bytes):
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        found = re.match(r"HTTP/1\.1 (\d{3}) ", first)
        self.status = int(found.group(1)) if found else None
        self.headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()

    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json()["error"]["code"]


def read_answer(s: socket.socket) -> RawAnswer:
    data = b""
    with contextlib.suppress(ConnectionError):
        while chunk := s.recv(65536):
            data += chunk
            head, found, body = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if found and length and len(body) >= int(length.group(1)):
                break
    return RawAnswer(data)


BOUNDARY = "cuvette-test-boundary"


def part(name: str, content: bytes, filename: str | None = None, extra: str = "") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return f"--{BOUNDARY}\r\n{head}\r\n{extra}\r\n".encode() + content + b"\r\n"


REQUIREMENTS = part("requirements", b"# none\n", "requirements.txt")
CODE = part("code", b"print('ran')\n", "main.py")
END = f"--{BOUNDARY}--\r\n".encode()


def request(body: bytes, *, length: int | None = None, content_type: str | None = None, method: str = "POST",
            path: str = "/api/v1/run", headers: str = "", host: str = "Host: localhost\r\n") -> bytes:
    """A request as bytes; length lies when given."""
    kind = f"multipart/form-data; boundary={BOUNDARY}" if content_type is None else content_type
    return (f"{method} {path} HTTP/1.1\r\n{host}Content-Type: {kind}\r\n"
            f"Content-Length: {len(body) if length is None else length}\r\n{headers}\r\n").encode() + body


# --- what is to be seen of processes from outside ---


def _parents() -> dict[int, tuple[int, str]]:
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                text = entry.joinpath("stat").read_text(errors="replace")
                name, fields = text.partition("(")[2].rpartition(")")[::2]
                if fields.split()[0] != "Z":
                    found[int(entry.name)] = (int(fields.split()[1]), _program(entry) or name)
    return found


def _program(entry: pathlib.Path) -> str:
    try:
        return pathlib.Path(os.readlink(entry / "exe")).name
    except OSError:
        return ""


def descendants(pid: int) -> dict[int, str]:
    table, found = _parents(), {}
    todo = [pid]
    while todo:
        parent = todo.pop()
        for child, (its_parent, name) in table.items():
            if its_parent == parent and child not in found:
                found[child] = name
                todo.append(child)
    return found


def _status(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""


def new_mark() -> str:
    return "m" + uuid.uuid4().hex[:14]


def marked(mark: str, code: str) -> str:
    """A program whose process, and what it forks, processes_with() finds: the
    command line of a forked run is its zygote's."""
    assert len(mark) <= 15
    return f"import ctypes\nctypes.CDLL(None).prctl(15, b'{mark}')\n{code}"


def waiting(mark: str, code: str = "") -> str:
    """A marked program that goes on when it is told to; what is told to it while it is found is not lost."""
    return ("import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n" +
            marked(mark, f"{code}\nsignal.sigtimedwait([signal.SIGUSR1], 100)\n"))


def tell(mark: str) -> None:
    for pid in processes_with(mark):
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)


def processes_with(mark: str) -> list[int]:
    """Processes on the whole host that have this name, or the word in their command line."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if (mark.encode() == entry.joinpath("comm").read_bytes().strip() or
                        mark.encode() in entry.joinpath("cmdline").read_bytes()):
                    found.append(int(entry.name))
    return found


def wait_until(condition, seconds: float, what: str) -> None:
    """That long at least: a busy machine may stand still for a while."""
    deadline = time.monotonic() + max(seconds, PATIENCE_S)
    while not condition():
        assert time.monotonic() < deadline, f"not within {max(seconds, PATIENCE_S)} s: {what}"
        time.sleep(0.02)


@contextlib.contextmanager
def traced(service: Service, calls: str, out: pathlib.Path):
    """strace on all processes of a service while the block runs; out has the calls."""
    assert shutil.which("strace"), "strace is not installed (make deps)"
    for _ in range(10):
        tracer = _attach(service, calls, out)
        if tracer:
            break
    if not tracer:
        raise Late("a service's processes came and went too quickly to attach to")
    try:
        yield
        time.sleep(0.3)
    finally:
        _detach(tracer)


def _attach(service: Service, calls: str, out: pathlib.Path) -> subprocess.Popen | None:
    """None when a process was made meanwhile by one that was not followed yet: a
    box that waits for the next run would not be seen."""
    pids = [service.process.pid, *service.pids()]
    command = ["strace", "-f", "-qq", "-s", "200", "-e", f"trace={calls}", "-e", "signal=none", "-o", str(out)]
    tracer = subprocess.Popen(command + [w for pid in pids for w in ("-p", str(pid))], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while tracer.poll() is None and time.monotonic() < deadline:
        states_now = [s for s in map(_status, [service.process.pid, *service.pids()]) if s]
        if all(f"TracerPid:\t{tracer.pid}" in s for s in states_now):
            return tracer
        time.sleep(0.05)
    _detach(tracer)
    return None


def _detach(tracer: subprocess.Popen) -> None:
    tracer.send_signal(signal.SIGINT)
    try:
        tracer.wait(timeout=120)
    except subprocess.TimeoutExpired:
        tracer.kill()
        tracer.wait()
