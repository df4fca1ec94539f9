# SPDX-License-Identifier: MIT
"""Uploads that are refused: each with its own code, and without starting anything."""

import re
import time

import client
from client import BOUNDARY, CODE, END, REQUIREMENTS, part

ERROR_KEYS = {"code", "message", "details"}
FORM = REQUIREMENTS + CODE
BIG_CODE = part("code", b"#" * (1 << 20) + b"\n", "main.py")

# name: (body, status, code)
BODIES = {
    "no requirements": (CODE + END, 400, "requirements-missing"),
    "no code": (REQUIREMENTS + END, 400, "code-missing"),
    "nothing": (END, 400, "requirements-missing"),
    "requirements without bytes": (part("requirements", b"", "requirements.txt") + CODE + END, 400, "requirements-empty"),
    "code without bytes": (REQUIREMENTS + part("code", b"", "main.py") + END, 400, "code-empty"),
    "code that is only a BOM": (REQUIREMENTS + part("code", b"\xef\xbb\xbf", "main.py") + END, 400, "code-empty"),
    "requirements with another extension": (part("requirements", b"#\n", "r.toml") + CODE + END, 400, "requirements-name"),
    "requirements without a name": (part("requirements", b"#\n") + CODE + END, 400, "requirements-name"),
    "code with another extension": (REQUIREMENTS + part("code", b"1\n", "main.txt") + END, 400, "code-name"),
    "code with a double extension": (REQUIREMENTS + part("code", b"1\n", "main.py.exe") + END, 400, "code-name"),
    "requirements in Latin-1": (part("requirements", b"# \xe9\n", "r.txt") + CODE + END, 400, "requirements-encoding"),
    "half a UTF-16 unit": (part("requirements", b"\xff\xfe#\x00\n", "r.txt") + CODE + END, 400, "requirements-encoding"),
    "code in Latin-1": (REQUIREMENTS + part("code", b"x = '\xe9'\n", "main.py") + END, 400, "code-encoding"),
    "code as UTF-16": (REQUIREMENTS + part("code", "x = 1\n".encode("utf-16"), "main.py") + END, 400, "code-encoding"),
    "code with a surrogate": (REQUIREMENTS + part("code", b"# \xed\xa0\x80\n", "main.py") + END, 400, "code-encoding"),
    "requirements twice": (REQUIREMENTS + FORM + END, 400, "field-duplicate"),
    "code twice": (FORM + CODE + END, 400, "field-duplicate"),
    "a limit twice": (FORM + part("timeout", b"1") * 2 + END, 400, "field-duplicate"),
    "a field nobody knows": (FORM + part("colour", b"red") + END, 400, "field-unknown"),
    "NUL in a part's header": (FORM + part("std\0in", b"") + END, 400, "bad-multipart"),
    "NUL in a filename": (REQUIREMENTS + part("code", b"1\n", "main\0.py") + END, 400, "bad-multipart"),
    "NUL in a text field": (FORM + part("timeout", b"1\0") + END, None, None),
    "a part without a name": (f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n".encode() + END, 400,
                              "bad-multipart"),
    "a part without headers": (f"--{BOUNDARY}\r\n\r\nx\r\n".encode() + FORM + END, 400, "bad-multipart"),
    "a part without a header's end": (f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"code\"\r\n".encode() + END,
                                      400, "bad-multipart"),
    "two dispositions": (part("code", b"1\n", "main.py", 'Content-Disposition: form-data; name="x"\r\n') + END, 400,
                         "bad-multipart"),
    "an endless header": (part("code", b"1\n", "main.py", "X: " + "y" * 100000 + "\r\n") + END, 400, "bad-multipart"),
    "a thousand parts": (b"".join(part(f"f{i}", b"") for i in range(1000)) + END, 400, None),
    "cut before the end": (FORM, 400, "bad-multipart"),
    "cut inside a part": (REQUIREMENTS + CODE[:-9], 400, "bad-multipart"),
    "cut inside a header": (REQUIREMENTS + CODE[:20], 400, "bad-multipart"),
    "another boundary than announced": (FORM.replace(b"test-", b"TEST-") + END, 400, "bad-multipart"),
    "no body": (b"", 400, None),
    "code of more than 1 MiB": (REQUIREMENTS + BIG_CODE + END, 413, "too-large"),
    "requirements of more than 256 KiB": (part("requirements", b"#" * ((256 << 10) + 1), "r.txt") + CODE + END, 413,
                                          "too-large"),
    "a stray line in requirements": (part("requirements", b"idna\n-r /etc/passwd\n", "r.txt") + CODE + END, 422,
                                     "requirement-unsupported"),
    "no PEP 508 at all": (part("requirements", b"idna\n\nthis is not one\n", "r.txt") + CODE + END, 422,
                          "requirement-invalid"),
    "a wall time that is no number": (FORM + part("timeout", b"soon") + END, 422, "field-invalid"),
    "a negative wall time": (FORM + part("timeout", b"-1") + END, 422, "field-invalid"),
    "a wall time of nought": (FORM + part("timeout", b"0") + END, 422, "field-invalid"),
    "a wall time of nan": (FORM + part("timeout", b"nan") + END, 422, "field-invalid"),
    "an empty wall time": (FORM + part("timeout", b"") + END, 422, "field-invalid"),
    "a wall time above the maximum": (FORM + part("timeout", b"301") + END, 422, "limit-exceeded"),
    "an endless wall time": (FORM + part("timeout", b"1e400") + END, 422, None),
    "memory above the maximum": (FORM + part("memory", b"5GiB") + END, 422, "limit-exceeded"),
    "memory beyond 64 bits": (FORM + part("memory", b"99999999999999999999GiB") + END, 422, None),
    "half a process": (FORM + part("processes", b"1.5") + END, 422, "field-invalid"),
    "processes above the maximum": (FORM + part("processes", b"513") + END, 422, "limit-exceeded"),
    "descriptors above the maximum": (FORM + part("descriptors", b"1025") + END, 422, "limit-exceeded"),
    "output above the maximum": (FORM + part("stdout_limit", b"17MiB") + END, 422, "limit-exceeded"),
    "args that are no JSON": (FORM + part("args", b"a b") + END, 422, "field-invalid"),
    "args that are no strings": (FORM + part("args", b"[1]") + END, 422, "field-invalid"),
    "args that nest deeper than a stack": (FORM + part("args", b"[" * 2000 + b"]" * 2000) + END, 400, "bad-json"),
    "patterns that do": (FORM + part("artifacts", b"[" * 2000 + b"]" * 2000) + END, 400, "bad-json"),
    "args with a NUL": (FORM + part("args", b'["a\\u0000b"]') + END, 422, "field-invalid"),
    "another Python": (FORM + part("python", b"2.7") + END, 422, "field-invalid"),
    "an isolation that there is not": (FORM + part("isolation", b"none") + END, 422, "field-invalid"),
    "an isolation of nothing": (FORM + part("isolation", b"") + END, 422, "field-invalid"),
    "a date that is none": (FORM + part("exclude_newer", b"yesterday") + END, 422, "field-invalid"),
    "a date to come": (FORM + part("exclude_newer", b"2999-01-01T00:00:00Z") + END, 422, "field-invalid"),
}


def settle(service) -> int:
    """What the service keeps is there, and nothing of it is being made; how many lines its log has then."""
    client.wait_until(lambda: sum('"ruff-server-started"' in line for line in service.log_lines()) >= 2, 30, "its ruffs are")
    quiet, known = time.monotonic(), None

    def calm() -> bool:
        nonlocal quiet, known
        if (now := set(service.pids())) != known:
            quiet, known = time.monotonic(), now
        return time.monotonic() - quiet > 1

    client.wait_until(calm, 60, "no process comes or goes")
    return len(service.log_lines())


def nothing_started(service, started: list, lines: int) -> None:
    """Late: one of those that are kept was lost meanwhile, and is made again; the service says so."""
    lost = [line for line in service.log_lines()[lines:] if re.search('"(ruff-server-lost|zygote-failed|slot-lost)"', line)]
    if started and lost:
        raise client.Late(f"{started[:3]} beside {lost[:3]}")
    assert not started, started


@client.one_good_of(3, told=False)
def test_each_bad_upload_has_its_code_and_starts_no_process(service, tmp_path):
    wrong, log, lines = [], tmp_path / "calls", settle(service)
    with client.traced(service, "clone,clone3,fork,vfork,execve", log):
        for name, (body, status, code) in BODIES.items():
            answer = service.raw(client.request(body))
            got = (answer.status, answer.code if answer.status else None)
            if answer.status is None or not 400 <= answer.status < 500 or status not in (None, got[0]) or \
                    code not in (None, got[1]):
                wrong.append(f"{name}: wanted {status} {code}, got {got} {answer.body[:300]!r}")
            elif set(answer.json()) != {"error", "request_id"} or set(answer.json()["error"]) != ERROR_KEYS:
                wrong.append(f"{name}: another shape: {answer.body[:300]!r}")
    # A thread of the HTTP server is no process.
    started = [line for line in log.read_text().splitlines() if "CLONE_THREAD" not in line and "resumed" not in line]
    assert not wrong, "\n".join(wrong)
    nothing_started(service, started, lines)


@client.one_good_of(3, told=False)
def test_an_index_that_is_not_on_the_list_starts_no_tool(service, tmp_path):
    """The builder knows the list: a worker of its own looks, and executes nothing."""
    lines = settle(service)
    with client.traced(service, "execve", tmp_path / "calls"):
        answer = service.run("pass\n", "--index-url http://127.0.0.1/\nidna\n")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "requirement-unsupported"), answer.text
    nothing_started(service, [line for line in (tmp_path / "calls").read_text().splitlines() if "execve" in line], lines)


def test_a_bad_line_is_named_with_its_number(service):
    answer = service.run("pass\n", "# first\nidna==3.7\nnot a requirement\n")
    assert answer.status_code == 422
    details = answer.json()["error"]["details"]
    assert details["line"] == 3 and details["text"] == "not a requirement" and details["column"] >= 1


def test_messages_say_what_would_be_right_and_hold_no_host_paths(service):
    for name, (body, _, _) in BODIES.items():
        error = service.raw(client.request(body)).json()["error"]
        assert len(error["message"]) > 15, name
        assert not re.search(r"/(tmp|var|home|nix|proc)/", str(error)), error


def test_a_body_shorter_than_it_says(service):
    body = REQUIREMENTS + CODE + END
    answer = service.raw(client.request(body, length=len(body) + 500), shut=True)
    assert answer.status in (400, None)
    assert service.healthy()


def test_a_body_longer_than_it_says(service):
    body = REQUIREMENTS + CODE + END
    answer = service.raw(client.request(body, length=len(body) - 30))
    assert (answer.status, answer.code) == (400, "bad-multipart")
    assert service.answer("print(1)\n")["stdout"] == "1\n"


def test_a_client_that_hangs_up_in_the_middle_of_its_body(service):
    with service.connect() as s:
        s.sendall(client.request(REQUIREMENTS, length=100000))
    assert service.answer("print(1)\n")["stdout"] == "1\n"


def test_content_types_that_are_not_multipart_are_415(service):
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/mixed; boundary=x"):
        answer = service.raw(client.request(b"a=1", content_type=kind))
        assert (answer.status, answer.code) == (415, "unsupported-media-type"), kind


def test_boundaries_that_are_none(service):
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'b' * 71}"):
        answer = service.raw(client.request(REQUIREMENTS + CODE + END, content_type=kind))
        assert answer.status in (400, 415), kind


def test_quoted_boundaries_and_other_spellings_are_understood(service):
    for kind in (f'multipart/form-data; boundary="{BOUNDARY}"', f"Multipart/Form-Data;charset=utf-8; Boundary={BOUNDARY}"):
        answer = service.raw(client.request(REQUIREMENTS + CODE + END, content_type=kind))
        assert answer.status == 200 and answer.json()["stdout"] == "ran\n", kind
