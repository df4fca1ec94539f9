# SPDX-License-Identifier: MIT
# tests/run: seconds=420
"""HTTP as no library sends it, and clients that are slow, huge or gone."""

import concurrent.futures
import contextlib
import pathlib
import socket
import time

import client
import pytest
from client import BOUNDARY, CODE, END, REQUIREMENTS

BODY = REQUIREMENTS + CODE + END
SLOW_SECONDS = 200


@pytest.mark.parametrize("path", ["/nothing", "/api/v1", "/api/v1/run/", "/api/v1/runs/", "/%2e%2e/etc/passwd",
                                  "/../../etc/passwd", "/api/v1/run%00", "//", "/API/V1/RUN"])
def test_an_unknown_path_is_404(service, path):
    answer = service.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert answer.status in (404, 400) and "error" in answer.json(), path
    if answer.status == 404:
        assert answer.code == "not-found"


@pytest.mark.parametrize("method, path, allow", [
    ("GET", "/api/v1/run", {"POST"}), ("PUT", "/api/v1/run", {"POST"}), ("DELETE", "/api/v1/run", {"POST"}),
    ("POST", "/health", {"GET", "HEAD"}), ("DELETE", "/", {"GET", "HEAD"}), ("PATCH", "/api/v1/health", {"GET", "HEAD"}),
])
def test_another_method_is_405_with_allow(service, method, path, allow):
    answer = service.raw(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    assert (answer.status, answer.code) == (405, "method-not-allowed")
    assert allow <= {word.strip() for word in answer.headers["allow"].split(",")}


def test_head_is_get_without_a_body(service):
    with service.client() as c:
        answer = c.head("/health")
    assert answer.status_code == 200 and answer.content == b""


def test_a_post_without_a_length_is_411(service):
    head = f"POST /api/v1/run HTTP/1.1\r\nHost: l\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    answer = service.raw(head.encode())
    assert (answer.status, answer.code) == (411, "length-required")


@pytest.mark.parametrize("headers", [
    f"Content-Length: {len(BODY)}\r\n", f"Content-Length: {len(BODY) + 1}\r\n", "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n", "Transfer-encoding : chunked\r\n", "X: a\r\n b\r\n", "No colon here\r\n",
    "X: a\0b\r\n", "Host: other\r\n",
], ids=["length twice", "two lengths", "length and chunked", "another coding", "space before colon", "folded", "no colon",
        "NUL", "two hosts"])
def test_framing_that_two_readers_could_take_apart_differently_is_400(service, headers):
    answer = service.raw(client.request(BODY, headers=headers))
    assert answer.status in (400, None), answer.body[:300]
    assert service.healthy()


def test_a_missing_host_is_400(service):
    answer = service.raw(client.request(BODY, host=""))
    assert answer.status == 400


@pytest.mark.parametrize("length", ["-1", "+5", "0x10", "1e3", " ", "99999999999999999999999", "5, 5"])
def test_a_length_that_is_no_number_is_refused(service, length):
    head = (f"POST /api/v1/run HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
            f"Content-Length: {length}\r\n\r\n").encode()
    answer = service.raw(head + BODY)
    assert answer.status in (400, 411, 413, None), answer.body[:300]
    assert service.healthy()


@pytest.mark.parametrize("data", [b"\0" * 200, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n",
                                  b"A" * 100000, b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: l\r\n\r\n",
                                  b"GET / HTTP/1.1\r\nHost: l\r\n" + b"X: y\r\n" * 20000 + b"\r\n"],
                         ids=["NULs", "no path", "TLS hello", "another version", "no line end", "long path", "many headers"])
def test_what_is_not_http_is_refused_and_the_service_goes_on(service, data):
    answer = service.raw(data, shut=True)
    assert answer.status is None or 400 <= answer.status < 600
    assert service.healthy()


def test_a_chunked_body_is_read(service):
    cut = [BODY[i:i + 7] for i in range(0, len(BODY), 7)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in cut) + b"0\r\n\r\n"
    head = (f"POST /api/v1/run HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n").encode()
    answer = service.raw(head + chunks)
    assert answer.status == 200 and answer.json()["stdout"] == "ran\n"


@pytest.mark.parametrize("chunks", [b"-5\r\nabc\r\n0\r\n\r\n", b"fffffffffffffffff\r\nabc\r\n", b"zz\r\n\r\n",
                                    b"3\r\nabcdef\r\n0\r\n\r\n"], ids=["negative", "overflow", "no number", "lying"])
def test_broken_chunks_are_refused(service, chunks):
    head = (f"POST /api/v1/run HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n").encode()
    answer = service.raw(head + chunks, shut=True)
    assert answer.status is None or 400 <= answer.status < 500
    assert service.healthy()


def memory_of(pid: int) -> int:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def test_an_upload_of_100_mb_is_413_and_costs_no_memory(service):
    manager = service.pid_of("cuvette-manager")
    before = memory_of(manager)
    size = 100 << 20
    with service.connect() as s:
        s.sendall(client.request(b"", length=size) + REQUIREMENTS + CODE[:-20])
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                s.sendall(b"#" * (1 << 20))
        answer = client.read_answer(s)
    # An answer may be lost where the sender goes on sending for ever; ours waits a moment for that.
    assert answer.status == 413 and answer.code == "too-large"
    assert memory_of(manager) - before < 48 << 20
    assert service.healthy()


def test_100_mb_in_chunks_without_a_length_are_cut_off(service):
    head = (f"POST /api/v1/run HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n").encode()
    sent = 0
    with service.connect() as s:
        s.sendall(head)
        start = REQUIREMENTS + client.part("stdin", b"", "s")[:-2]
        s.sendall(b"%x\r\n%s\r\n" % (len(start), start))
        piece = b"%x\r\n" % (1 << 20) + b"#" * (1 << 20) + b"\r\n"
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                s.sendall(piece)
                sent += 1
        answer = client.read_answer(s)
    assert answer.status in (413, None) and (answer.status or sent < 100)
    assert service.healthy()


def dribble(service, first: bytes, rest: bytes) -> tuple[float, client.RawAnswer]:
    """One byte each half second, until the service has enough of it."""
    begun = time.monotonic()
    with service.connect() as s:
        s.sendall(first)
        s.settimeout(0.5)
        data, at = b"", 0
        while time.monotonic() - begun < SLOW_SECONDS:
            try:
                s.sendall(rest[at:at + 1])
                at += 1
                piece = s.recv(65536)
                if not piece:
                    break
                data += piece
            except TimeoutError:
                continue
            except ConnectionError:
                break
    return time.monotonic() - begun, client.RawAnswer(data)


def ask_and_not_read(stack, service, path: str) -> socket.socket:
    """Through the smallest buffer there is, so that little is on its way."""
    s = stack.enter_context(socket.socket())
    s.settimeout(120)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    s.connect(("127.0.0.1", service.port))
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return s


def rest_of(s: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionError):
        while chunk := s.recv(1 << 20):
            data += chunk
    return data


def times_answered(service, path: str) -> int:
    return sum(f'"path":"{path}"' in line for line in service.log_lines())


def much_output(service, pause: float, before: str = "") -> str:
    """Where a run is that prints 12 MB."""
    code = (f"{before}import sys, time\nfor _ in range(800):\n    sys.stdout.write('0123456789abcde\\n' * 1000)\n"
            f"    sys.stdout.flush()\n    time.sleep({pause})\n")
    fields = {"requirements": "# none\n", "code": code, "lint": "off", "mode": "async", "stdout_limit": "16MiB",
              "timeout": 250}
    with service.client() as http:
        return http.post("/api/v1/run", json=fields).json()["status_url"]


def test_who_sends_or_reads_slowly_is_cut_off_while_others_are_served(service):
    full = client.request(BODY)
    head, _, body = full.partition(b"\r\n\r\n")
    # What has come fast buys no silence: at the least rate this much would take minutes.
    much = client.request(b'{"code":"' + b"x" * (4 << 20), length=5 << 20, content_type="application/json")
    mark = client.new_mark()
    done, goes_on = much_output(service, 0), much_output(service, 0.005, client.waiting(mark))
    client.wait_until(lambda: service.get(done).json()["state"] == "done", 60, "it has ended")
    readers = {}
    with concurrent.futures.ThreadPoolExecutor(9) as pool, contextlib.ExitStack() as stack:
        for asked in (done, goes_on + "/events"):
            before = times_answered(service, asked)
            readers[asked] = before + 2, [ask_and_not_read(stack, service, asked) for _ in range(2)]
        client.wait_until(lambda: client.processes_with(mark), 60, "it waits to be followed")
        client.tell(mark)
        slow_heads = [pool.submit(dribble, service, full[:10], full[10:]) for _ in range(4)]
        slow_bodies = [pool.submit(dribble, service, head + b"\r\n\r\n", body) for _ in range(4)]
        slow_later = pool.submit(dribble, service, much, b"x" * 2 * SLOW_SECONDS)
        time.sleep(1)
        assert service.answer("print(1)\n")["stdout"] == "1\n"
        for seconds, answer in [f.result() for f in slow_heads + slow_bodies + [slow_later]]:
            assert seconds < SLOW_SECONDS - 5, "never cut off"
            assert answer.status in (408, 400, None)
        assert slow_later.result()[1].code == "request-timeout"
        # Who reads nothing has had a part, and no more comes.
        for asked, (times, sockets) in readers.items():
            client.wait_until(lambda: times_answered(service, asked) >= times, 200, "they were given up")
            for s in sockets:
                data = rest_of(s)
                assert data.startswith(b"HTTP/1.1 200 ") and b"event: end" not in data and len(data) < 10 << 20
    assert service.healthy()


def test_many_silent_connections_do_not_keep_others_out(service):
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(service.connect())
        took = []
        for _ in range(3):
            begun = time.monotonic()
            assert service.answer("print(1)\n")["stdout"] == "1\n"
            took.append(time.monotonic() - begun)
        assert min(took) < 40, took
