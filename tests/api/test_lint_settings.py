# SPDX-License-Identifier: MIT
"""Rules, lengths and Pythons of a request's own: what the plain commands say, and nothing else gets to ruff."""

import importlib.machinery
import importlib.util
import itertools
import json
import subprocess

import client
import pytest

NUMBERS = itertools.count(1)
CODE = ('import os, sys\ndef f(x: "list[int]", y={}):\n    assert x != None\n'
        '    match x:\n        case [a]: return {"a":1, "looooooooong":[1, 2, 3, 4], "b":2}\n'
        'type T = int\nprint(f"{ "x" }")\nl = lambda: (yield)\nx: "int" = 1 if os else eval("1")\n')
SETTINGS = [{"lint_select": "E,F401"}, {"lint_select": "ALL"}, {"lint_select": "PL,B0,S307", "line_length": "40"},
            {"line_length": "1"}, {"line_length": "320"}, {"target_version": "py37"}, {"target_version": "py313"},
            {"lint_select": "UP,F", "line_length": "60", "target_version": "py315"}, {"lint_select": "CPY", "python": "3.13"}]


def new_code() -> str:
    return f"# {next(NUMBERS)}\n{CODE}"


def ruff(command: str, code: str, settings: dict, *more: str) -> str:
    """The plain command, by a shell's words."""
    python = settings.get("python", "3.11").replace(".", "")
    words = [client.tool("ruff"), command, "--isolated", "--no-cache", "--stdin-filename", "main.py", *more,
             "--target-version", settings.get("target_version", f"py{python}")]
    if "line_length" in settings:
        words += ["--line-length", settings["line_length"]]
    if command == "check" and "lint_select" in settings:
        words += ["--select", settings["lint_select"]]
    return subprocess.run([*words, "-"], input=code, capture_output=True, text=True).stdout


def expected(code: str, settings: dict) -> tuple[str, list]:
    found = json.loads(ruff("check", code, settings, "--output-format", "json", "--exit-zero"))
    formatted = ruff("format", code, settings)
    if not formatted:  # it can't be parsed, and that is all that is said
        found = [w for w in found if w["code"] in (None, "invalid-syntax")][:1]
    return formatted or code, sorted(
        ((w["location"]["row"], w["location"]["column"], w["code"] or "invalid-syntax", w["message"],
          w["end_location"]["row"], w["end_location"]["column"], w["url"],
          [e["content"] for e in (w["fix"] or {"edits": []})["edits"]]) for w in found), key=lambda w: w[:4])


def got(answer: dict) -> tuple[str, list]:
    assert answer["lint"] == "done"
    return answer["formatted_code"], [
        (w["row"], w["column"], w["code"], w["message"], w["end_row"], w["end_column"], w["url"],
         [e["content"] for e in (w["fix"] or {"edits": []})["edits"]]) for w in answer["lint_warnings"]]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@client.one_good_of(3)
def test_the_answer_is_that_of_the_plain_commands(service, settings):
    code = new_code()
    assert got(service.answer(code, timeout="1", **settings)) == expected(code, settings)


@client.one_good_of(3)
def test_settings_are_part_of_what_is_known_of_code(service):
    code = new_code()
    for _ in range(2):
        for settings in ({}, *SETTINGS[:4]):
            assert got(service.answer(code, timeout="1", **settings)) == expected(code, settings)


@client.one_good_of(3)
def test_what_came_before_with_the_same_settings_starts_no_ruff(service, tmp_path):
    code = "import os\n" + new_code()
    first = service.answer(code, timeout="1", lint_select="F")
    with client.traced(service, "execve,execveat", tmp_path / "calls"):
        assert got(service.answer(code, timeout="1", lint_select="F")) == got(first)
    assert "/bin/ruff" not in (tmp_path / "calls").read_text()


@client.one_good_of(3)
def test_in_json_they_are_values(service):
    code = new_code()
    body = {"requirements": "# none\n", "code": code, "lint_select": ["E", "F401"], "line_length": 50, "target_version": "py38"}
    with service.client() as http:
        answer = http.post("/api/v1/run", json=body).json()
    assert got(answer) == expected(code, {"lint_select": "E,F401", "line_length": "50", "target_version": "py38"})


@pytest.mark.parametrize("field, value", [
    ("lint_select", "E,XX1"), ("lint_select", "--fix"), ("lint_select", "ANN101"), ("lint_select", ""), ("lint_select", '["E", 1]'),
    ("line_length", "0"), ("line_length", "321"), ("line_length", "-1"), ("target_version", "py36"), ("target_version", "3.11")])
def test_what_is_no_setting_is_refused(service, field, value):
    answer = service.run("print(1)\n", **{field: value})
    error = answer.json()["error"]
    assert answer.status_code == 422 and error["code"] == "field-invalid" and f"`{field}`" in error["message"]


def test_settings_are_for_lint(service):
    answer = service.run("print(1)\n", lint="off", line_length="80")
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "field-conflict"


def test_the_rules_that_we_know_are_those_of_our_ruff():
    loader = importlib.machinery.SourceFileLoader("ruff_rules", str(client.ROOT / "tools" / "ruff-rules"))
    rules = importlib.util.module_from_spec(importlib.util.spec_from_loader("ruff_rules", loader))
    loader.exec_module(rules)
    assert rules.FILE.read_text() == rules.text(client.tool("ruff")), "run tools/ruff-rules"
    # and ruff takes each code and each beginning of one
    codes = rules.codes(client.tool("ruff"))
    letters = {code.rstrip("0123456789") for code in codes}
    starts = {code[:n] for code in codes for n in range(1, len(code) + 1)} | {"ALL", "PL"}
    wanted = sorted(start for start in starts if start.rstrip("0123456789") in letters | {"ALL", "PL"})
    run = subprocess.run([client.tool("ruff"), "check", "--isolated", "--exit-zero", "--select", ",".join(wanted), "-"],
                         input="x = 1\n", capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
