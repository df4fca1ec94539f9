# SPDX-License-Identifier: MIT
"""A run asked for as JSON; raw output; one program with many inputs."""

import base64
import json

import pytest

import client

BASE = {"requirements": "# none\n", "code": "print('ran')\n", "lint": False, "timeout": client.RUN_SECONDS}


def post(service, body, content_type="application/json"):
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    with service.client() as http:
        return http.post("/api/v1/run", content=body, headers={"Content-Type": content_type})


def answer(service, **fields) -> dict:
    response = post(service, {**BASE, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def refused(service, body, code, words=""):
    response = post(service, body)
    assert response.status_code in (400, 413, 422), response.text
    error = response.json()["error"]
    assert error["code"] == code and words in error["message"], error
    return error


def b64(data: bytes) -> dict:
    return {"base64": base64.b64encode(data).decode()}


@client.one_good_of(3)
def test_all_fields(service):
    code = """\
import sys, pathlib
print(sys.argv[1:], sys.stdin.buffer.read(), pathlib.Path("d/a").read_text(), pathlib.Path("b").read_bytes())
pathlib.Path("out.txt").write_text("o")
"""
    got = answer(service, code=code, args=["ü", "x y"], stdin=b64(b"\xff\n"), timeout=62.5, memory="256MiB", processes=20,
                 files={"d/a": "text\n", "b": b64(b"\0\xff")}, artifacts=["*.txt"], lint=True)
    assert got["stdout"] == "['ü', 'x y'] b'\\xff\\n' text\n b'\\x00\\xff'\n"
    assert got["artifacts"][0]["name"] == "out.txt" and got["lint"] == "done"


def test_as_with_a_form(service):
    with_form = service.answer(BASE["code"], lint="off")
    as_json = answer(service)
    assert set(as_json) == set(with_form) and as_json["stdout"] == "ran\n"
    assert as_json["environment"]["digest"] == with_form["environment"]["digest"]
    assert post(service, BASE, "application/json; charset=UTF-8").status_code == 200
    assert post(service, BASE, "application/json; charset=latin-1").status_code == 415


def test_locks_and_environments(service):
    got = answer(service)
    fields = {k: v for k, v in BASE.items() if k != "requirements"}
    for more in ({"lock": got["environment"]["lock"]}, {"env": got["environment"]["digest"]}):
        response = post(service, {**fields, **more})
        assert response.json()["environment"]["digest"] == got["environment"]["digest"], response.text


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"1", b'{"code": NaN}', b'{"timeout": 1e999}', b'{"timeout": ' + b"9" * 400 + b"}",
    b'{"code": "\\ud800"}', b'{"code": "\\u0000"}', b'{"code": "\xff"}', b'{"code": "a", "code": "b"}', b"\xef\xbb\xbf{}",
    b"{} {}", b'{"code": "a"}\0', b"{}\0{}", b"[" * 100000, b'{"args": ' + b"[" * 9 + b"]" * 9 + b"}", b'{"args": [' + b"1," * 20000 + b"1]}",
    b"{'code': 1}"])
def test_what_is_no_json(service, body):
    refused(service, body, "bad-json")


@pytest.mark.parametrize("field, value, words", [
    ("code", 1, "`code` must be a string"), ("code", None, "`code`"), ("code", {"base64": 1}, "`code`"),
    ("code", {"base64": "!!"}, "not Base64"), ("code", {"base64": "", "x": 1}, "`code`"), ("files", [], "an object"),
    ("files", {"a": 1}, "`files`"), ("args", {"a": 1}, "`args`"), ("args", [1], "item 1 of `args`"), ("args", 1, "`args`"),
    ("timeout", True, "`timeout`"), ("timeout", 0, "above 0"), ("timeout", -1, "above 0"), ("timeout", [1], "`timeout`"),
    ("python", 3.11, "`python`"), ("lint", 1, "`lint`"), ("output_encoding", "hex", "`output_encoding`")])
def test_wrong_types_are_named(service, field, value, words):
    refused(service, {**BASE, field: value}, "field-invalid", words)


def test_unknown_fields_are_named(service):
    assert "`files`" in refused(service, {**BASE, "cod": "x"}, "field-unknown", "`cod` is not a field")["message"]
    refused(service, {**BASE, "mode": "later"}, "field-invalid", "`sync`, `async` or `stream`")
    refused(service, {**BASE, "timeout": 301}, "limit-exceeded")
    refused(service, {**BASE, "files": {"../a": ""}}, "file-refused")
    refused(service, {"requirements": "# none\n"}, "code-missing")
    assert refused(service, '{"code":\n  x}', "bad-json")["details"]["line"] == 2


def test_raw_output(service):
    code = "import sys; sys.stdout.buffer.write(b'\\xff\\0'); sys.stderr.write('e')"
    got = answer(service, code=code, output_encoding="base64")
    assert base64.b64decode(got["stdout"]) == b"\xff\0" and base64.b64decode(got["stderr"]) == b"e"
    assert got["output_encoding"] == "base64"
    got = answer(service, code=code)
    assert got["stdout"] == "\ufffd\0" and got["output_encoding"] == "utf-8"


CASES = "import sys; print(sys.argv[1:], sys.stdin.read()); open('f', 'x').write('1'); sys.exit(len(sys.argv) > 2)"


@client.one_good_of(3)
def test_cases(service):
    got = answer(service, code=CASES, args=["d"], stdin="D", artifacts=["f"], lint=True,
                 cases=[{}, {"stdin": "1"}, {"args": ["a", "b"]}, {"stdin": b64(b"2"), "args": []}])
    assert [c["stdout"] for c in got["cases"]] == ["['d'] D\n", "['d'] 1\n", "['a', 'b'] D\n", "[] 2\n"]
    assert [c["return_code"] for c in got["cases"]] == [0, 0, 1, 0]
    assert [c["success"] for c in got["cases"]] == [True, True, False, True] and got["success"] is False
    assert all(c["artifacts"][0]["name"] == "f" for c in got["cases"])
    assert len({c["run_id"] for c in got["cases"]}) == 4
    assert got["lint"] == "done" and "stdout" not in got and got["environment"]["digest"]


def test_cases_in_a_form(service):
    got = service.answer(CASES, cases=[{"stdin": "1"}, {"stdin": "2"}], lint="off")
    assert [c["stdout"] for c in got["cases"]] == ["[] 1\n", "[] 2\n"] and got["success"] is True


def test_a_case_that_dies_dies_alone(service):
    code = "import sys, os\nif sys.stdin.read() == 'k': os.kill(os.getpid(), 9)\nwhile len(sys.argv) > 1: pass"
    # By its CPU time, to which a machine that stands still adds nothing: the others are in time whatever happens.
    got = answer(service, code=code, cpu_time=2, cases=[{"stdin": "k"}, {}, {"args": ["x"]}, {}])
    assert [c["status"] for c in got["cases"]] == ["killed", "success", "timeout", "success"]


@pytest.mark.parametrize("cases, words", [
    ([], "1 to 64"), ([{}] * 65, "1 to 64"), ([1], "case 1"), ([{}, {"in": 1}], "case 2"), ([{"stdin": 1}], "`stdin`"),
    ([{"args": "x"}], "`args`"), ([{"args": ["\0"]}], ""), ([{"stdin": {"base64": "%"}}], "Base64")])
def test_cases_that_are_none(service, cases, words):
    response = post(service, {**BASE, "cases": cases})
    error = response.json()["error"]
    assert error["code"] in ("field-invalid", "bad-json") and words in error["message"], error


def test_cases_have_an_end(service):
    refused(service, {**BASE, "cases": [{}] * 5, "timeout": 300}, "limit-exceeded", "1200 s")
