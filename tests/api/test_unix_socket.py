# SPDX-License-Identifier: MIT
"""A Unix socket beside the port, for proxies: whose it is, what it replaces, and that each connection is told apart."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile

import httpx
import pytest

import client

KEY = "key-of-the-environment"


@pytest.fixture
def place():
    """A folder of our own, whose path is short."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cuv-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()


@contextlib.contextmanager
def serving(path, *flags):
    service = client.Service(client.suite_state(), "--listen-unix", path, *flags, API_KEY=KEY)
    try:
        service.start()
        yield service
        assert service.stop() == 0, service.log.read_text()[-4000:]
    finally:
        service.kill()


def by(path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://cuvette", timeout=300,
                        headers={"X-API-Key": KEY})


def run(http, code, **fields) -> httpx.Response:
    return http.post("/api/v1/run", json={"requirements": "# none\n", "code": code, "lint": "off",
                                          "timeout": client.RUN_SECONDS, **fields})


def refused(state, path, *flags, status=1, **environment) -> str:
    """What `cuvette serve` says when it does not start."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CUVETTE_") and k != "API_KEY"}
    done = subprocess.run([client.BIN / "cuvette", "serve", "--listen", "127.0.0.1:0", "--state", state,
                           "--listen-unix", path, *flags], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=200, env={**kept, **environment})
    assert done.returncode == status, done.stderr
    return done.stderr


def test_requests_by_the_socket_are_those_of_the_port(place):
    path = place / "http.sock"
    # What a service that was killed has left is replaced.
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with serving(path, "--unix-mode", "0600", "--unix-owner", f"{os.getuid()}:{os.getgid()}") as service:
        found = path.stat()
        assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600 and found.st_uid == os.getuid()
        assert service.ready_line.endswith(f" and {path}")
        with by(path) as http:
            assert http.get("/health", headers={"X-API-Key": ""}).status_code == 200
            assert http.get("/metrics", headers={"X-API-Key": "other"}).status_code == 401
            # One connection for all of these, and each has its own answer.
            for i in range(20):
                assert run(http, f"print({i})\n").json()["stdout"] == f"{i}\n"
        # Many at once: answers, deadlines and hang-ups are each connection's own.
        with concurrent.futures.ThreadPoolExecutor(8) as pool, by(path) as http:
            answers = list(pool.map(lambda i: run(http, f"print({i})\n").json()["stdout"], range(24)))
        assert answers == [f"{i}\n" for i in range(24)]
        lines = [json.loads(line) for line in service.log_lines() if '"request"' in line]
        assert {line["remote"] for line in lines if line["path"] == "/api/v1/run"} == {"unix"}
        assert not [line for line in service.log_lines() if '"civetweb"' in line]
        assert service.get("/health").status_code == 200
        who_hangs_up_cancels(path)
        large_ones_pass(path)
        a_new_manager_has_the_same_socket(service, path)
    assert not path.exists()


def who_hangs_up_cancels(path) -> None:
    marks = [client.new_mark(), client.new_mark()]
    sockets = [socket.socket(socket.AF_UNIX) for _ in marks]
    for s, mark in zip(sockets, marks):
        s.connect(str(path))
        body = json.dumps({"requirements": "# none\n", "lint": "off", "timeout": 120,
                           "code": client.marked(mark, "import time\ntime.sleep(100)\n")}).encode()
        s.sendall(client.request(body, content_type="application/json", headers=f"X-API-Key: {KEY}\r\n"))
    for mark in marks:
        client.wait_until(lambda: client.processes_with(mark), 30, "it runs")
    sockets[1].close()
    client.wait_until(lambda: not client.processes_with(marks[1]), 30, "its run was cancelled")
    assert client.processes_with(marks[0])
    sockets[0].close()
    client.wait_until(lambda: not client.processes_with(marks[0]), 30, "its run was cancelled")


def large_ones_pass(path) -> None:
    text = "0123456789abcde\n" * (1 << 19)
    with by(path) as http:
        answer = run(http, "import sys\nsys.stdout.write(sys.stdin.read())\n", stdin=text, stdout_limit="16MiB")
    assert answer.status_code == 200 and answer.json()["stdout"] == text


def a_new_manager_has_the_same_socket(service, path) -> None:
    os.kill(service.pid_of("cuvette-manager"), signal.SIGKILL)
    # Who comes meanwhile waits for it.
    with by(path) as http:
        assert run(http, "print('back')\n").json()["stdout"] == "back\n"


def test_nothing_but_a_stale_socket_is_replaced(place):
    path, state = place / "http.sock", client.suite_state()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert "another process listens there" in refused(state, path, API_KEY=KEY) and path.is_socket()
    path.unlink()
    path.write_text("mine")
    assert "not a socket" in refused(state, path, API_KEY=KEY) and path.read_text() == "mine"
    path.unlink()
    path.symlink_to(place / "elsewhere")
    assert "not a socket" in refused(state, path, API_KEY=KEY)
    assert path.is_symlink() and not (place / "elsewhere").exists()
    path.unlink()
    place.chmod(0o777)
    assert "others can write to the folder" in refused(state, path, API_KEY=KEY)
    place.chmod(0o755)
    assert not list(place.iterdir())


def test_a_socket_wants_a_key_and_sensible_settings(place):
    path = place / "http.sock"
    state = client.suite_state()
    assert "cuvette key create" in refused(state, path) and not path.exists()
    for bad in ("relative.sock", "/", "/tmp/..", "/tmp/" + "x" * 81, "/tmp/" + "x" * 110):
        assert "listen-unix" in refused(state, bad, status=2)
    for mode in ("rw", "0999", "01777", "7", "00660"):
        assert "unix-mode" in refused(state, path, "--unix-mode", mode, status=2)
    for owner in ("no-such-user", ":no-such-group", "root:", ":"):
        assert "unix-owner" in refused(state, path, "--unix-owner", owner, status=2)
    assert "No such file" in refused(state, place / "none" / "x.sock", API_KEY=KEY)
