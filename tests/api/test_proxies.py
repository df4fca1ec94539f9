# SPDX-License-Identifier: MIT
"""The examples of nginx and Caddy, with TLS, before a service's Unix socket and before its port."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import textwrap

import httpx
import pytest

import client
import proxies

KEY = "key-of-the-environment"
MIB = 1 << 20


@pytest.fixture(scope="module")
def behind():
    """A service that lets one connection follow runs."""
    folder = pathlib.Path("/tmp") / f"cuv-proxy-{os.getpid()}"
    folder.mkdir(mode=0o755)
    path = folder / "http.sock"
    try:
        with client.Service(client.suite_state(), "--listen-unix", path, "--clients", "7", API_KEY=KEY) as service:
            service.unix, service.folder = path, folder
            service.trusted = proxies.certificate(folder)
            yield service
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["nginx", "caddy"])
def sites(request, behind):
    folder = behind.folder / request.param
    folder.mkdir()
    for name in ("cert.pem", "key.pem"):
        shutil.copy(behind.folder / name, folder)
    first, second = proxies.free_ports(2)
    unix = f"unix:{behind.unix}" if request.param == "nginx" else f"unix/{behind.unix}"
    command = getattr(proxies, request.param)(folder, {first: unix, second: f"127.0.0.1:{behind.port}"})
    with proxies.running(command, folder, (first, second)):
        yield [f"https://localhost:{port}" for port in (first, second)]


@contextlib.contextmanager
def reaching(service, url):
    with httpx.Client(base_url=url, verify=service.trusted, timeout=300, trust_env=False, headers={"X-API-Key": KEY},
                      event_hooks={"response": [service.check_answer]}) as http:
        yield http


def run(http, code, **fields) -> httpx.Response:
    return http.post("/api/v1/run", json={"requirements": "# none\n", "code": code, "lint": "off",
                                          "timeout": client.RUN_SECONDS, **fields})


def test_what_a_service_does_it_does_behind_a_proxy(behind, sites):
    for url in sites:
        with reaching(behind, url) as http:
            answer = run(http, "print('by TLS')\n")
            assert answer.status_code == 200 and answer.json()["stdout"] == "by TLS\n", answer.text
            assert http.get("/api/v1/environments", headers={"X-API-Key": "none"}).status_code == 401
            events_come_at_once_and_a_refusal_says_when(behind, url, http)
            lines_come_at_once(http)
        who_hangs_up_cancels(behind, url)
    with reaching(behind, sites[0]) as http:
        large_ones_pass(http)


def large_ones_pass(http) -> None:
    """As much as is taken, and the service's own answer to more."""
    code = "import os, sys\nprint(len(sys.stdin.read()), os.path.getsize('a.bin'))\n"
    files = [("requirements", ("requirements.txt", b"# none\n")), ("code", ("main.py", code.encode())),
             ("stdin", ("stdin", b"x" * 16 * MIB)), ("files", ("a.bin", bytes(16 * MIB - 4096)))]
    answer = http.post("/api/v1/run", files=files, data={"lint": "off", "timeout": str(client.RUN_SECONDS)})
    assert answer.status_code == 200 and answer.json()["stdout"] == f"{16 * MIB} {16 * MIB - 4096}\n", answer.text
    # A proxy that passes on what it gets at once hangs up on who still sends after the answer.
    with contextlib.suppress(httpx.WriteError):
        answer = http.post("/api/v1/run", files=files + [("files", ("b.bin", bytes(MIB)))])
        assert answer.status_code == 413 and answer.json()["error"]["code"] == "too-large"


def events_come_at_once_and_a_refusal_says_when(service, url, http) -> None:
    mark = client.new_mark()
    code = client.waiting(mark, "print('begun', flush=True)") + "print('told')\n"
    accepted = run(http, code, mode="async", timeout=120)
    assert accepted.status_code == 202
    path = f"/api/v1/runs/{accepted.json()['run_id']}"
    with reaching(service, url) as other, other.stream("GET", f"{path}/events") as stream:
        text, told = "", False
        for piece in stream.iter_text():
            text += piece
            # The program waits to be told: of a proxy that gathers this would never come.
            if "begun" in text and not told:
                refused = http.get(f"{path}/events")
                assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1, refused.text
                client.tell(mark)
                told = True
        assert "told" in text and text.rstrip().endswith('{"state":"done","success":true}')


def lines_come_at_once(http) -> None:
    mark = client.new_mark()
    body = {"requirements": "# none\n", "lint": "off", "mode": "stream", "timeout": 120, "cases": [{}, {"stdin": "wait"}],
            "code": "import sys\nif sys.stdin.read() == 'wait':\n" + textwrap.indent(client.waiting(mark), "    ") + "print('done')\n"}
    with http.stream("POST", "/api/v1/run", json=body) as stream:
        lines = stream.iter_lines()
        # The second one waits to be told: of a proxy that gathers the first would never come.
        assert json.loads(next(lines))["case"] == 0
        client.wait_until(lambda: client.processes_with(mark), 60, "the second case is under way")
        client.tell(mark)
        assert [json.loads(line)["event"] for line in lines] == ["case", "end"]


def who_hangs_up_cancels(service, url) -> None:
    mark, port = client.new_mark(), int(url.rpartition(":")[2])
    body = json.dumps({"requirements": "# none\n", "lint": "off", "timeout": 120,
                       "code": client.marked(mark, "import time\ntime.sleep(100)\n")}).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=120) as plain:
        with service.trusted.wrap_socket(plain, server_hostname="localhost") as s:
            s.sendall(client.request(body, content_type="application/json", headers=f"X-API-Key: {KEY}\r\n"))
            client.wait_until(lambda: client.processes_with(mark), 30, "it runs")
    client.wait_until(lambda: not client.processes_with(mark), 30, "its run was cancelled")
