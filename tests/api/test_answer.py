# SPDX-License-Identifier: MIT
"""The shape of an answer: seven fields that clients rely on, and ours."""

import json
import re
import subprocess

import client
import pytest

SEVEN = {"stdout": str, "stderr": str, "return_code": int, "execution_time": float, "formatted_code": str,
         "lint_warnings": list, "success": bool}
OURS = {"status": str, "path": str, "usage": dict, "environment": dict, "image": dict, "artifacts": list, "truncated": dict,
        "run_id": str, "request_id": str}
MESSY = '''import os, sys
import json
def f( x,y ):
  unused=1
  return {'a':x,"b":[y,
     1]}
print (f(1,2)) ; l = lambda: 0
'''


def test_the_seven_fields_and_their_types(service):
    answer = service.answer("print(1)\n")
    for name, kind in SEVEN.items():
        assert type(answer[name]) is kind, name


def test_the_further_fields_and_their_types(service):
    answer = service.answer("print(1)\n", "idna==3.7\n", exclude_newer=client.DATE)
    for name, kind in OURS.items():
        assert type(answer[name]) is kind, name
    assert answer["signal"] is None
    usage = answer["usage"]
    assert set(usage) == {"wall", "cpu_user", "cpu_system", "max_memory"}
    assert type(usage["max_memory"]) is int and 1 << 20 < usage["max_memory"] < 512 << 20
    assert all(type(usage[k]) is float for k in ("wall", "cpu_user", "cpu_system"))
    environment = answer["environment"]
    assert {"digest", "lock_digest", "store_path", "python", "packages", "cached", "resolve_time",
            "build_time"} <= set(environment)
    assert re.fullmatch(r"[0-9a-df-np-sv-z]{32}", environment["digest"])
    assert environment["store_path"].startswith(f"/nix/store/{environment['digest']}-")
    assert re.match(r"3\.11\.\d+$", environment["python"])
    assert environment["packages"] == [{"name": "idna", "version": "3.7"}]
    assert type(environment["cached"]) is bool
    assert answer["image"]["store_path"].startswith(f"/nix/store/{answer['image']['digest']}-")
    assert answer["truncated"] == {"stdout": False, "stderr": False}


def test_run_ids_and_request_ids_are_never_the_same(service):
    answers = [service.answer("pass\n") for _ in range(5)]
    assert len({a["run_id"] for a in answers} | {a["request_id"] for a in answers}) == 10


def test_the_answer_is_json_and_says_so(service):
    response = service.run("print(1)\n")
    assert response.headers["content-type"].partition(";")[0] == "application/json"
    assert int(response.headers["content-length"]) == len(response.content)


@pytest.mark.parametrize("code", [MESSY, "x = 1\n", "\n\n\n", "# only a comment", "é = 'ž'\r\nprint( é )\r\n",
                                  "def f():\n\treturn  1\n", "match 1:\n  case 1: pass\n"])
@client.one_good_of(3)
def test_formatted_code_is_what_ruff_format_gives(service, code):
    expected = subprocess.run([client.tool("ruff"), "format", "--isolated", "--stdin-filename", "main.py", "-"],
                              input=code.encode(), capture_output=True, check=True)
    assert service.answer(code)["formatted_code"].encode() == expected.stdout


@client.one_good_of(3)
def test_lint_warnings_are_ruffs_in_our_shape(service):
    checked = subprocess.run([client.tool("ruff"), "check", "--isolated", "--output-format", "json",
                              "--stdin-filename", "main.py", "-"], input=MESSY.encode(), capture_output=True)
    expected = json.loads(checked.stdout)
    warnings = service.answer(MESSY)["lint_warnings"]
    assert len(expected) >= 4
    assert [(w["code"], w["row"], w["column"], w["end_row"], w["end_column"], w["message"]) for w in warnings] == \
        [(e["code"], e["location"]["row"], e["location"]["column"], e["end_location"]["row"],
          e["end_location"]["column"], e["message"]) for e in expected]
    for warning, theirs in zip(warnings, expected):
        assert set(warning) == {"code", "message", "row", "column", "end_row", "end_column", "url", "fix"}
        assert warning["url"] == theirs["url"]
        assert (warning["fix"] is None) == (theirs["fix"] is None)
        if warning["fix"]:
            assert warning["fix"]["message"] == theirs["fix"]["message"] and warning["fix"]["edits"]


def test_lint_can_be_left_out(service):
    answer = service.answer(MESSY, lint="off")
    assert answer["lint"] == "skipped" and answer["formatted_code"] == MESSY and answer["lint_warnings"] == []
    assert answer["status"] == "success"


def test_clean_code_has_no_warnings(service):
    assert service.answer("print(1)\n")["lint_warnings"] == []


@client.one_good_of(3)
def test_a_syntax_error_gives_one_warning_with_its_place(service):
    answer = service.answer("x = 1\ny = (\n")
    assert answer["formatted_code"] == "x = 1\ny = (\n" and len(answer["lint_warnings"]) == 1
    warning = answer["lint_warnings"][0]
    assert warning["code"] == "invalid-syntax" and warning["row"] >= 2 and warning["column"] >= 1


@client.one_good_of(3)
def test_a_byte_order_mark_is_dropped_from_code(service):
    answer = service.answer(b"\xef\xbb\xbfprint(ascii(open('main.py').read()[0]))\n")
    assert answer["stdout"] == "'p'\n" and answer["formatted_code"].startswith("print")


def test_stdin_reaches_the_program_as_bytes(service):
    data = bytes(range(256)) * 300
    code = "import sys, hashlib\nprint(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())\n"
    assert service.answer(code, stdin=data)["stdout"] == __import__("hashlib").sha256(data).hexdigest() + "\n"


def test_without_stdin_the_program_reads_its_end(service):
    assert service.answer("import sys\nprint(repr(sys.stdin.read()))\n")["stdout"] == "''\n"


def test_stdin_that_is_not_read_does_not_hold_the_run(service):
    assert service.answer("print(1)\n", stdin=bytes(8 << 20))["stdout"] == "1\n"


def test_args_reach_the_program_one_by_one(service):
    words = ["plain", "two words", "", "--flag", "ž'\"$(id)`\n", "*"]
    answer = service.answer("import sys\nprint(sys.argv == __import__('json').loads(sys.stdin.read()))\n", args=words,
                            stdin=json.dumps(["main.py", *words]))
    assert answer["stdout"] == "True\n", answer


def test_bytes_that_are_not_utf8_become_replacement_characters(service):
    code = "import os\nos.write(1, b'a\\xff\\xc3b\\xed\\xa0\\x80c\\x00')\n"
    assert service.answer(code)["stdout"] == b"a\xff\xc3b\xed\xa0\x80c\x00".decode(errors="replace")


def test_the_program_sees_what_python_main_py_would_show(service):
    code = ("import sys, os\nprint(__name__, __file__, sys.argv, sys.path[0] == os.getcwd(), sys.flags.isolated)\n"
            "print(os.getcwd(), os.listdir(), os.environ['HOME'], sorted(os.environ))\n")
    first, second = service.answer(code)["stdout"].splitlines()
    assert first.startswith("__main__ ") and first.endswith("['main.py'] True 0")
    assert second.startswith("/box ['main.py'] /home/cuvette [")
    assert "CUVETTE" not in second and "NIX" not in second


@client.one_good_of(3)
def test_the_code_that_runs_is_what_was_uploaded_not_the_formatted_text(service):
    code = "x   =   1\nprint(open('main.py').read())\n"
    answer = service.answer(code)
    assert answer["stdout"] == code + "\n" and answer["formatted_code"] != code


def test_requirements_in_utf16_with_crlf_are_read(service):
    answer = service.answer("import idna\nprint(idna.__version__)\n", "idna==3.7\r\n".encode("utf-16"),
                            exclude_newer=client.DATE)
    assert answer["stdout"] == "3.7\n"


def test_lint_does_not_fail_the_run_of_a_deeply_nested_file(service):
    code = "x = " + "(" * 3000 + "1" + ")" * 3000 + "\n"
    answer = service.answer("try:\n    exec(open('main.py').read().split('#')[1])\nexcept Exception: print('no')\n# " +
                            code)
    assert answer["return_code"] in (0, 1)
    assert service.answer("print(1)\n")["lint_warnings"] == []
