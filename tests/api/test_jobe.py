# SPDX-License-Identifier: MIT
"""The Jobe dialect, as Moodle's CodeRunner speaks it."""

import base64
import contextlib
import hashlib
import json
import re

import httpx
import pytest

import client
from test_keys import create

BASE = "/jobe/index.php/restapi"


class Site:
    """One Moodle site: its key, and the requests that CodeRunner makes for it."""

    def __init__(self, service, key):
        self.service, self.key = service, key

    def request(self, method, path, body=None, key=True):
        headers = {"User-Agent": "CodeRunner", "Content-Type": "application/json; charset=utf-8",
                   "Accept-Charset": "utf-8", "Accept": "application/json", "X-CodeRunner-Job-Id": "0badf00d"}
        if key:
            headers["X-API-KEY"] = self.key
        content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        with self.service.client() as http:
            return http.request(method, BASE + path, content=content, headers=headers)

    def run(self, sourcecode, status=200, **spec):
        spec = {"language_id": "python3", "sourcefilename": "__tester__.python3", "input": "", "file_list": [],
                "sourcecode": sourcecode, **spec}
        answer = self.request("POST", "/runs", {"run_spec": spec})
        assert answer.status_code == status, answer.text
        return answer.json()

    def put(self, file_id, content: bytes):
        return self.request("PUT", f"/files/{file_id}", {"file_contents": base64.b64encode(content).decode()})

    def has(self, file_id):
        return self.request("HEAD", f"/files/{file_id}")

    def execute(self, sourcecode, files: dict[str, bytes], **spec):
        """Run; where files are missing, put all of them and run again."""
        spec["file_list"] = [[md5(content), name] for name, content in files.items()]
        body = {"run_spec": {"language_id": "python3", "sourcecode": sourcecode, "input": "",
                             "sourcefilename": "__tester__.python3", **spec}}
        answers = [self.request("POST", "/runs", body)]
        if answers[0].status_code == 404:
            answers += [self.put(md5(content), content) for content in files.values()]
            answers.append(self.request("POST", "/runs", body))
        return answers


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture(scope="module")
def sites():
    """A service with two keys."""
    with contextlib.ExitStack() as stack:
        state = stack.enter_context(client.fresh_state())
        keys = [create(state)[1] for _ in range(2)]
        service = stack.enter_context(client.Service(state))
        yield [Site(service, key) for key in keys]


@pytest.fixture(scope="module")
def site(sites):
    return sites[0]


def test_languages(site):
    answer = site.request("GET", "/languages")
    assert answer.status_code == 200
    assert [pair[0] for pair in answer.json()] == ["python3"] and answer.json()[0][1].startswith("3.")


def test_a_slash_at_the_end(site):
    headers = {"X-API-KEY": site.key}
    with httpx.Client(base_url=site.service.url + BASE, headers=headers, trust_env=False, verify=False, timeout=300) as http:
        assert http.get("/languages/").json()[0][0] == "python3"
        answer = http.post("/runs/", json={"run_spec": {"language_id": "python3", "sourcecode": "print(1)"}})
        assert answer.json()["stdout"] == "1\n"


def test_what_coderunner_does(sites):
    """Its sequence: a run, 404 for the files, each of them put, the same run again; then never again."""
    site, other = sites
    code = "print(open('first.a').read())\nprint(open('second.bb').read())\nprint(input())\n"
    files = {"first.a": b"Line1\nLine2", "second.bb": b"Otherfile"}
    parameters = {"cputime": 5, "memorylimit": 0, "numprocs": "30"}
    answers = site.execute(code, files, input="in\n", parameters=parameters)
    assert [a.status_code for a in answers] == [404, 204, 204, 200]
    assert isinstance(answers[0].json(), str) and answers[1].content == b"" and "Content-Length" not in answers[1].headers
    result = answers[-1].json()
    assert set(result) == {"run_id", "outcome", "cmpinfo", "stdout", "stderr"}
    assert result["outcome"] == 15 and result["stdout"] == "Line1\nLine2\nOtherfile\nin\n"
    assert result["cmpinfo"] == result["stderr"] == "" and len(result["run_id"]) == 32
    assert [a.status_code for a in site.execute(code, files, input="in\n")] == [200]
    assert [a.status_code for a in other.execute(code, files, input="in\n")] == [404, 204, 204, 200]


@pytest.mark.parametrize("code, spec, outcome, stdout, words", [
    ("print('Hello sandbox!')\n", {}, 15, "Hello sandbox!\n", ""),
    ("print(input())\nprint(input())\n", {"input": "1\n2\n"}, 15, "1\n2\n", ""),
    ("import sys\nsys.exit(3)\n", {}, 15, "", ""),
    ("import sys\nprint(1)\nprint('x', file=sys.stderr)\n", {}, 12, "1\n", "x\n"),
    ("print([1][2])\n", {}, 12, "", 'File "__tester__.python3", line 1, in <module>'),
    ("import os\nprint(1, flush=True)\nos.abort()\n", {}, 12, "1\n", "signal 6 (SIGABRT)"),
    ("while True: pass\n", {"parameters": {"cputime": 0.3}}, 13, "", ""),
    ("import sys, time\nprint(1, file=sys.stderr, flush=True)\ntime.sleep(60)", {"parameters": {"cputime": "0.3"}}, 13,
     "", ""),
    ("b = b'x' * (200 << 20)\nprint(1)", {"parameters": {"memorylimit": 100}}, 17, "", ""),
    ("import os, signal\nos.kill(os.getpid(), signal.SIGSYS)\n", {}, 19, "", ""),
    ("print('x' * 5000, end='')\n", {"parameters": {"streamsize": 0.001}}, 12, "x" * 1024, "more than it may"),
    ("print('Un rôle délétère')", {}, 15, "Un rôle délétère\n", ""),
    ("import sys\nsys.stdout.buffer.write(b'\\xff\\0\\n')", {}, 15, "\\xff\\x00\n", ""),
    ("import sys\nprint(sys.argv[1:])", {"parameters": {"runargs": ["a", "name='b c'"]}}, 15, "['a', 'name=b c']\n", ""),
    ("", {"parameters": {"interpreterargs": ["-c \"print(\\\"Blah\\\")\""]}}, 15, "Blah\n", ""),
    ("import sys\nprint(sys.flags.optimize)", {"parameters": {"interpreterargs": ["-O", "-B"]}}, 15, "1\n", ""),
    ("print(__debug__)", {"parameters": {"interpreterargs": ["-BE"]}}, 15, "True\n", ""),
    ("with open('f', 'w') as f: f.write('x')\nprint(open('f').read())", {"sourcefilename": ""}, 15, "x\n", ""),
])
@client.one_good_of(3)
def test_outcomes(site, code, spec, outcome, stdout, words):
    result = site.run(code, **spec)
    assert (result["outcome"], result["stdout"], result["cmpinfo"]) == (outcome, stdout, ""), result
    assert words in result["stderr"] and bool(words) == bool(result["stderr"]), result


@pytest.mark.parametrize("code, words", [
    ("print('Hello sandbox!'):\n", "SyntaxError"), ("print(1)\n  print(2)\n", "IndentationError"),
    ("if 1 is 1:\n    print(\n", "was never closed"), ("return 1\n", "SyntaxError")])
@client.one_good_of(3)
def test_what_can_not_be_compiled(site, code, words):
    result = site.run(code)
    assert result["outcome"] == 11 and result["stdout"] == result["stderr"] == "", result
    assert words in result["cmpinfo"] and 'File "__tester__.python3", line ' in result["cmpinfo"]


@client.one_good_of(3)
def test_a_syntax_error_at_run_time_is_none_of_the_program(site):
    result = site.run("exec('(')\n")
    assert result["outcome"] == 12 and "SyntaxError" in result["stderr"]


def test_a_header_that_can_not_be_had_is_a_compile_error(site):
    result = site.run("# /// script\n# dependencies = ['-e .']\n# ///\nprint(1)\n")
    assert result["outcome"] == 11 and "line 2" in result["cmpinfo"], result


def test_a_file_may_be_called_main(site):
    answers = site.execute("import main, sys\nprint(main.x, sys.argv[0])\n", {"main.py": b"x = 7\n"})
    assert answers[-1].json()["stdout"] == "7 __tester__.python3\n", answers[-1].text


def test_files(sites):
    site, other = sites
    assert site.has("randomid0129798").status_code == 404
    assert site.put("randomid0129798", b"one").status_code == 204
    assert site.has("randomid0129798").status_code == 204
    assert other.has("randomid0129798").status_code == 404
    assert other.put("randomid0129798", b"another").status_code == 204
    for who, content in ((site, "one"), (other, "another")):
        result = who.run("print(open('f.txt').read())", file_list=[["randomid0129798", "f.txt", False]])
        assert result["stdout"] == content + "\n"
    assert site.put("randomid0129798", b"two").status_code == 204
    assert site.run("print(open('f').read())", file_list=[["randomid0129798", "f"]])["stdout"] == "two\n"


def test_an_id_that_is_a_hash_is_the_content_s(site):
    binary = bytes(range(256)) * 1000
    assert site.put(md5(binary), binary).status_code == 204
    assert site.put(md5(b"empty or not"), b"").status_code == 403
    assert site.has(md5(b"empty or not")).status_code == 404
    assert site.put(md5(b""), b"").status_code == 204
    code = "import hashlib; print(hashlib.md5(open('f', 'rb').read()).hexdigest())"
    assert site.run(code, file_list=[[md5(binary), "f"]])["stdout"] == md5(binary) + "\n"


@pytest.mark.parametrize("file_id, body, status", [
    ("short", {"file_contents": ""}, 400), ("not_letters", {"file_contents": ""}, 400),
    ("x" * 129, {"file_contents": ""}, 400), ("randomid01", {"file_contents": "!"}, 400),
    ("randomid01", {"file_contents": 1}, 400), ("randomid01", {}, 400), ("randomid01", [], 400),
    ("randomid01", b"", 400), ("randomid01", b"{", 400),
    ("randomid01", {"file_contents": "AAAA" * ((16 << 20) // 3 + 1)}, 413)])
def test_files_that_are_refused(site, file_id, body, status):
    answer = site.request("PUT", f"/files/{file_id}", body)
    assert answer.status_code == status and isinstance(answer.json(), str), answer.text


@pytest.mark.parametrize("body, words", [
    (b"", "JSON"), (b"[]", "object"), (b"{}", "run_spec"), ({"run_spec": "x"}, "run_spec"),
    ({"run_spec": {"sourcecode": ""}}, "language_id"), ({"run_spec": {"language_id": "python3"}}, "sourcecode"),
    ({"run_spec": {"language_id": "c", "sourcecode": ""}}, "`c` is not there"),
    ({"run_spec": {"language_id": "python3", "sourcecode": "\ud800"}}, "JSON"), (b"[" * 100000, "deep")])
def test_specs_that_are_none(site, body, words):
    answer = site.request("POST", "/runs", body)
    assert answer.status_code == 400 and words in answer.json(), answer.text


@pytest.mark.parametrize("spec, words", [
    ({"parameters": {"cputime": 121}}, "120 s"), ({"parameters": "x"}, "parameters"),
    ({"parameters": {"runargs": "x"}}, "runargs"), ({"parameters": {"runargs": ["$(id)"]}}, "no shell"),
    ({"parameters": {"interpreterargs": ["'"]}}, "no end"), ({"parameters": {"runargs": ["x"] * 257}}, "256"),
    ({"sourcefilename": "../x"}, "sourcefilename"), ({"sourcefilename": ".x"}, "sourcefilename"),
    ({"file_list": [["randomid01"]]}, "file_list"), ({"file_list": [["randomid01", "../x"]]}, "file_list"),
    ({"file_list": [["randomid01", ".."]]}, "file_list"), ({"file_list": [["r", "x"]]}, "file_list"),
    ({"file_list": [["randomid01", "__tester__.python3"]]}, "own name"),
    ({"file_list": [["randomid01", "x"], ["randomid02", "x"]]}, "twice"), ({"input": 1}, "input")])
def test_specs_that_are_refused(site, spec, words):
    assert words in site.run("print(1)", status=400, **spec)


def test_members_that_nobody_knows(site):
    assert site.run("print(1)", debug=1, jobeserver="x", parameters=[], input=None)["outcome"] == 15


@client.one_good_of(3)
def test_the_manuals_example(site):
    text = (client.ROOT / "docs/dialects.md").read_text()
    body, answer = re.search(r"restapi/runs -H \S+ \S+ -d '(.*?)'\n```\n\n```json\n(.*?)```", text, re.DOTALL).groups()
    got = site.request("POST", "/runs", body.encode()).json()
    assert {**got, "run_id": ""} == {**json.loads(answer), "run_id": ""}


def test_a_key_is_needed(site):
    for method, path in (("GET", "/languages"), ("POST", "/runs"), ("PUT", "/files/randomid01"), ("HEAD", "/files/randomid01")):
        assert site.request(method, path, key=False).status_code == 403
    answer = Site(site.service, "no-such-key").request("GET", "/languages")
    assert answer.status_code == 403 and isinstance(answer.json(), str)


def test_methods_that_there_are_not(site):
    answer = site.request("GET", "/files/randomid01")
    assert answer.status_code == 405 and answer.headers["Allow"] == "PUT, HEAD"
    assert site.request("GET", "/runs").status_code == 405
    assert site.request("GET", "/runresults/1").status_code == 404
    for name, status in (("..%2f..%2fetc", 404), ("x" * 640, 404), ("x" * 1024, 400)):
        answer = site.request("PUT", f"/files/{name}", {"file_contents": ""})
        assert answer.status_code == status and isinstance(answer.json(), str), answer.text


def test_packages_of_the_server():
    """JOBE_ENV is for programs that say nothing themselves."""
    code = "import six; print(six.__version__)"
    with client.fresh_state() as state:
        with client.Service(state) as service:
            digest = service.answer(code, "six==1.16.0\n", exclude_newer=client.DATE)["environment"]["digest"]
            result = Site(service, "").run(code)
            assert result["outcome"] == 12 and "ModuleNotFoundError" in result["stderr"]
        with client.Service(state, JOBE_ENV=digest) as service:
            assert Site(service, "").run(code)["stdout"] == "1.16.0\n"
            header = "# /// script\n# dependencies = []\n# ///\n"
            assert "ModuleNotFoundError" in Site(service, "").run(header + code)["stderr"]
        with client.Service(state, "--request-memory", "64MiB", JOBE_ENV="0" * 32) as service:
            result = Site(service, "").run(code)
            assert result["outcome"] == 20 and "JOBE_ENV" in result["cmpinfo"]
            # No room is an outcome too, but not of a file.
            result = Site(service, "").run(code, nothing="x" * (24 << 20))
            assert result["outcome"] == 21 and result["stdout"] == result["stderr"] == result["cmpinfo"] == ""
            assert Site(service, "").put("randomid01", bytes(16 << 20)).status_code == 503
