# SPDX-License-Identifier: MIT
"""Each kind of bad input for each dialect: refused in its own words with its status, and nobody is told what is not theirs."""

import json

import pytest

import client
from keyed import Key, running
from test_says_nothing import STACK

JOBE = "/jobe/index.php/restapi"
PROGRAM = {"language_id": "python3", "sourcecode": "print(1)"}


def ours(answer) -> bool:
    return set(answer) == {"error", "request_id"} and set(answer["error"]) == {"code", "message", "details"}


def said(*members):
    return lambda answer: set(answer) == set(members) and all(isinstance(text, str) for text in answer.values())


# name: (method, path, a body that is served, its status, status where it is no JSON, how errors look)
SHAPES = {
    "A run": ("POST", "/api/v1/run", {"code": "print(1)", "requirements": "# none\n", "lint": "off"}, 200, 400, ours),
    "A environments": ("POST", "/api/v1/environments", {"requirements": "# none\n", "mode": "sync"}, 200, 400, ours),
    "B": ("POST", "/api/v1/execute", {"code": "print(1)"}, 200, 422, said("detail")),
    "C execute": ("POST", "/execute", {"session_id": "s", "code": "print(1)"}, 202, 400, said("detail", "error")),
    "C install": ("POST", "/install", {"session_id": "s", "packages": ["six"]}, 202, 422, said("detail")),
    "C terminate": ("POST", "/terminate", {"session_id": "s"}, 200, 422, said("detail")),
    "D": ("POST", "/execute", {"code": "print(1)", "language": "python"}, 200, 400, said("detail", "error")),
    "E": ("POST", "/execute", {"script": "def main(): pass"}, 200, 400, said("detail", "error")),
    "Jobe run": ("POST", JOBE + "/runs", {"run_spec": PROGRAM}, 200, 400, lambda answer: isinstance(answer, str)),
    "Jobe file": ("PUT", JOBE + "/files/randomid01", {"file_contents": "AAAA"}, 204, 400,
                  lambda answer: isinstance(answer, str)),
}
# What stands as a further member.
MEMBERS = {
    "nests too deep": b'"x": ' + b"[" * 40 + b"]" * 40, "nests without end": b'"x": ' + b"[" * 100000,
    "objects without end": b'"x": ' + b'{"a":' * 100000, "too many values": b'"x": [' + b"1," * 20000 + b"1]",
    "a lone surrogate": b'"x": "\\ud800"', "a lone surrogate the other way": b'"x": "\\udc00\\ud800"',
    "a lone surrogate in a name": b'"\\udfff": 1', "an encoded surrogate": b'"x": "\xed\xa0\x80"',
    "not UTF-8": b'"x": "\xff"', "overlong UTF-8": b'"x": "\xc0\xaf"', "NaN": b'"x": NaN', "Infinity": b'"x": Infinity',
    "-Infinity": b'"x": -Infinity', "nan": b'"x": nan', "a huge number": b'"x": 1e999', "a huge negative number": b'"x": -1e999',
    "a huge whole number": b'"x": ' + b"9" * 400, "an octal number": b'"x": 017', "a hexadecimal number": b'"x": 0x1f',
    "a comma too many": b'"x": 1,', "a control character": b'"x": "\n"', "no value": b'"x"', "a comment": b'"x": 1 /* */',
}
WHOLE = {
    "nothing": b"", "a cut off one": b'{"code": "1', "two": b'{"code": "1"} {}', "a NUL behind it": b'{"code": "1"}\0',
    "single quotes": b"{'code': '1'}", "UTF-16": '{"code": "1"}'.encode("utf-16"), "a byte order mark": b'\xef\xbb\xbf{"code": "1"}',
    "a NUL alone": b"\0", "no JSON at all": b"code=1",
}


@pytest.fixture(scope="module")
def key():
    with running() as service:
        found = Key(service, "run,environments")
        found.never = [str(service.state), str(client.BIN), str(client.ROOT), "/nix/var", "/etc/shadow",
                       found.headers["X-API-Key"]]
        yield found


def send(key, method, path, content=b"", headers="") -> client.RawAnswer:
    """Without a client of HTTP, which would take longer than all of the answer."""
    headers += f"Connection: close\r\nX-API-Key: {key.headers['X-API-Key']}\r\n"
    return key.service.raw(client.request(content, content_type="application/json", method=method, path=path, headers=headers))


def check(key, answer, statuses, is_error, what):
    text = answer.body.decode()
    assert answer.status in statuses, (what, answer.status, text[:500])
    assert is_error(answer.json()), (what, text[:500])
    for never in key.never:
        assert never not in text, (what, never, text[:500])
    assert not STACK.search(text), (what, text[:500])
    assert len(text) < 4000, (what, "what was sent is not sent back whole")


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_no_json(key, name):
    method, path, body, _, status, is_error = SHAPES[name]
    start = json.dumps(body)[:-1].encode() + b", "
    for kind, member in MEMBERS.items():
        check(key, send(key, method, path, start + member + b"}"), (status,), is_error, kind)
    for kind, content in WHOLE.items():
        check(key, send(key, method, path, content), (status,), is_error, kind)
    double = start + json.dumps(body)[1:].encode()
    if name.startswith("Jobe"):  # of a member that comes twice the last one counts, as in PHP
        assert send(key, method, path, double).status == SHAPES[name][3]
    else:
        check(key, send(key, method, path, double), (status,), is_error, "a member twice")


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_too_large_is_not_waited_for(key, name):
    method, path, _, _, _, is_error = SHAPES[name]
    for length in (10**9, 2**63, 10**30):
        answer = key.service.raw(client.request(b"", length=length, content_type="application/json", method=method, path=path,
                                                headers=f"X-API-Key: {key.headers['X-API-Key']}\r\n"))
        assert answer.status in (400, 413), (length, answer.body)
        assert length > 10**9 or is_error(answer.json()), (length, answer.body)


# As if it were not there; nothing at all; JSON's own word for `on`.
FINE = [("language", None), ("file_contents", ""), ("lint", True)]


@pytest.mark.parametrize("name", SHAPES)
def test_wrong_types(key, name):
    method, path, body, _, _, is_error = SHAPES[name]
    for member, good in body.items():
        for bad in (None, True, 5, -1.5, "", [], {}, [[]], [None], {"a": 1}, 10**18):
            if type(bad) is type(good) and bad != "" or (member, bad) in FINE:
                continue
            answer = send(key, method, path, json.dumps({**body, member: bad}).encode())
            check(key, answer, (400, 422), lambda a: is_error(a) or set(a) <= {"detail", "error"}, (member, bad))
    for bad in (None, True, 5, -1.5, "x", [], [body]):
        check(key, send(key, method, path, json.dumps(bad).encode()), (400, 422),
              lambda a: is_error(a) or set(a) <= {"detail", "error"}, bad)


@pytest.mark.parametrize("name", [name for name in SHAPES if name not in ("C execute", "C install", "E")])
def test_members_that_nobody_knows(key, name):
    """Refused by name in our own, not looked at in the dialects (E: test_dialects.py, which has its packages)."""
    method, path, body, status, _, is_error = SHAPES[name]
    unknown = {"Unknown-7": 1, "Unknown-8": None, "": {"a": [1]}, "a/../b": "x" * 1000}
    answer = send(key, method, path, json.dumps({**body, **unknown}).encode())
    if name.startswith("A "):
        check(key, answer, (400, 422), is_error, name)
        assert b"Unknown-7" in answer.body, answer.body
    else:
        assert answer.status == status, answer.body[:500]


IDS = ["..%2F..%2Fetc%2Fpasswd", "..%5C..%5Cetc", "%2e%2e", "%00", "a%00b", "%ff", "%ed%a0%80", "%", "%zz", "%25",
       "'%3B%20DROP%20TABLE%20run", "$(id)", "0" * 32, "F" * 32, "-1", "9" * 300, "a" * 15000, "%F0%9F%98%80", "%0d%0aX:%20y"]
PATHS = [("GET", "/api/v1/runs/{}", ours), ("DELETE", "/api/v1/runs/{}", ours), ("GET", "/api/v1/runs/{}/events", ours),
         ("GET", "/api/v1/runs?cursor={}", ours), ("GET", "/api/v1/environments/{}", ours),
         ("GET", "/api/v1/environments/{}/lock", ours), ("DELETE", "/api/v1/environments/{}", ours),
         ("GET", "/api/v1/environments/builds/{}", ours), ("GET", "/api/v1/environments/builds/{}/events", ours),
         ("DELETE", "/api/v1/environments/builds/{}", ours), ("GET", "/status/execute/{}", said("detail")),
         ("GET", "/status/install/{}", said("detail")), ("HEAD", JOBE + "/files/{}", None)]


@pytest.mark.parametrize("method, path, is_error", PATHS)
def test_ids_that_are_none(key, method, path, is_error):
    for bad in IDS:
        answer = send(key, method, path.format(bad))
        assert answer.status in (400, 404, 422), (bad, answer.status, answer.body[:500])
        text = answer.body.decode()
        assert not any(never in text for never in key.never) and not STACK.search(text), (bad, text[:500])
        # What no path can hold is nobody's.
        if method != "HEAD" and answer.status != 400:
            assert is_error(answer.json()) or bad == "%2e%2e" and ours(answer.json()), (bad, text[:500])


def test_ids_of_ten_megabytes(key):
    huge = "a" * 10_000_000
    answer = key.service.raw(f"GET /api/v1/runs/{huge} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.status in (400, 413, 414), answer.body[:500]
    for name, body in (("A run", {"env": huge, "code": "1"}), ("A run", {"env": "../../etc/passwd", "code": "1"}),
                       ("C terminate", {"session_id": huge}), ("C install", {"session_id": huge, "packages": ["six"]}),
                       ("C execute", {"session_id": huge, "code": "1"}), ("D", {"code": "1", "language": huge}),
                       ("Jobe run", {"run_spec": {**PROGRAM, "file_list": [[huge, "x"]]}}),
                       ("Jobe run", {"run_spec": {**PROGRAM, "file_list": [["../../etc/passwd", "x"]]}}),
                       ("Jobe run", {"run_spec": {**PROGRAM, "language_id": huge}})):
        method, path, _, _, _, is_error = SHAPES[name]
        answer = send(key, method, path, json.dumps(body).encode())
        check(key, answer, (400, 404, 413, 422), lambda a: is_error(a) or set(a) <= {"detail", "error"}, name)
    answer = key.post("/upload", data={"session_id": huge}, files={"file": ("x", b"x")})
    assert answer.status_code in (413, 422) and said("detail")(answer.json()), answer.text[:500]
    for last in ("x", "-1", "9" * 300, "../../etc", "1-" + "0" * 64):
        answer = send(key, "GET", f"/api/v1/runs/{'0' * 32}/events", headers=f"Last-Event-ID: {last}\r\n")
        check(key, answer, (404,), ours, last)
