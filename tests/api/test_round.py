# SPDX-License-Identifier: MIT
"""One round through everything: real wheels, each way a program can end, bad
uploads. Sanitizer builds run this file too."""

import client
import pytest

DATE = client.DATE


def test_hello_world_without_requirements(service):
    answer = service.answer('print("hello")\n')
    assert (answer["stdout"], answer["stderr"], answer["return_code"]) == ("hello\n", "", 0)
    assert answer["success"] is True and answer["status"] == "success"


def test_requests_is_imported_from_its_wheel(service):
    answer = service.answer("import requests\nprint(requests.__version__)\n", "requests==2.31.0\n", exclude_newer=DATE)
    assert answer["stdout"] == "2.31.0\n", answer
    names = {p["name"]: p["version"] for p in answer["environment"]["packages"]}
    assert names["requests"] == "2.31.0" and {"urllib3", "idna", "certifi", "charset-normalizer"} <= set(names)


def test_numpy_and_pandas_compute(service):
    code = ("import numpy, pandas\n"
            "frame = pandas.DataFrame({'a': numpy.arange(5), 'b': list('vwxyz')})\n"
            "print(frame.a.sum(), numpy.linalg.det(numpy.eye(3)), frame.groupby('b').a.max().tolist())\n")
    answer = service.answer(code, "numpy==1.26.4\npandas==2.2.2\n", exclude_newer=DATE, timeout="60")
    assert answer["stdout"] == "10 1.0 [0, 1, 2, 3, 4]\n", answer


def test_a_program_that_raises_is_a_200_with_its_traceback(service):
    answer = service.answer("print('before')\nraise ValueError('no')\n")
    assert answer["status"] == "error" and answer["return_code"] == 1 and answer["success"] is False
    assert answer["stdout"] == "before\n"
    assert answer["stderr"].startswith("Traceback (most recent call last):\n")
    assert 'line 2, in <module>' in answer["stderr"] and answer["stderr"].endswith("ValueError: no\n")


@client.one_good_of(3)
def test_code_that_does_not_parse_is_a_200_with_one_warning(service):
    code = "def broken(:\n    pass\n"
    answer = service.answer(code)
    assert answer["return_code"] == 1 and answer["status"] == "error" and "SyntaxError" in answer["stderr"]
    assert answer["formatted_code"] == code
    assert [w["code"] for w in answer["lint_warnings"]] == ["invalid-syntax"]


def test_text_outside_ascii_comes_back_as_sent(service):
    text = "žluťoučký кот 漢字 🐍 \u2028"
    answer = service.answer(f"import sys\nprint({text!r})\nsys.stderr.write(sys.stdin.read())\n", stdin=text)
    assert answer["stdout"] == text + "\n" and answer["stderr"] == text
    assert text.split()[0] in answer["formatted_code"]


def test_a_requirements_file_with_nothing_but_comments_is_the_empty_environment(service):
    answer = service.answer("print(1)\n", "# nothing\n\n   # at all\n")
    assert answer["environment"]["packages"] == []


@pytest.mark.parametrize("code, fields, status", [
    ("while True: pass\n", {"timeout": "1"}, "timeout"),
    ("x = bytearray(1 << 30)\n", {"memory": "64MiB", "timeout": "30"}, "out-of-memory"),
    ("while True: print('x' * 1000)\n", {"timeout": "30"}, "output-limit"),
    ("import os\nos.abort()\n", {}, "killed"),
], ids=["timeout", "out-of-memory", "output-limit", "killed"])
def test_each_end_has_its_own_status(service, code, fields, status):
    answer = service.answer(code, **fields)
    assert answer["status"] == status and answer["success"] is False, answer


def test_a_bad_upload_is_refused_and_the_next_good_one_runs(service):
    response = service.raw(client.request(client.REQUIREMENTS + client.END))
    assert (response.status, response.code) == (400, "code-missing")
    assert service.answer("print(2)\n")["stdout"] == "2\n"
