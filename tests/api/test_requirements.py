# SPDX-License-Identifier: MIT
# tests/run: seconds=300
"""Requirements that include files sent along, and what the answer tells of each line."""

import tomllib

import pytest
from client import DATE

MAIN = ("main.py", b"import idna\nprint(idna.__version__)\n")


def send(service, text, files=(), **fields):
    """`requirements` and any number of (name, text) in `requirements_files`."""
    parts = [("requirements", ("requirements.txt", text.encode())), ("code", MAIN)]
    parts += [("requirements_files", (name, data.encode())) for name, data in files]
    return service.post(parts, data={"exclude_newer": DATE, **fields}, timeout=200)


def environment(response):
    assert response.status_code == 200, response.text
    return response.json()["environment"]


def error(response, status, code):
    assert response.status_code == status, response.text
    said = response.json()["error"]
    assert said["code"] == code, said
    return said


FILES = [("base.txt", "-r deep/more.txt\n"), ("deep/more.txt", "# two\nIDNA <= 3.7\n-c ../pins/c.txt\n"),
         ("pins/c.txt", "idna==3.6\ncertifi<2020\n"), ("unused.txt", "-e /etc\n")]


def test_files_that_include_one_another_are_one_environment(service):
    got = environment(send(service, "\n-r base.txt\n", FILES))
    assert [(p["name"], p["version"]) for p in got["packages"]] == [("idna", "3.6")]
    plain = environment(send(service, "idna<=3.7\n-c c.txt\n", [("c.txt", "certifi<2020\nidna==3.6")]))
    assert plain["digest"] == got["digest"] and plain["lock"] == got["lock"]


def test_each_line_is_explained_with_its_file(service):
    told = environment(send(service, "\n-r base.txt\n--pre\n", FILES))["explain"]
    lines = [(x["file"], x["line"], x["text"], x["package"], x["constraint"], x["version"]) for x in told["lines"]]
    assert lines == [("deep/more.txt", 2, "IDNA <= 3.7", "idna", False, "3.6"),
                     ("pins/c.txt", 1, "idna==3.6", "idna", True, "3.6"),
                     ("pins/c.txt", 2, "certifi<2020", "certifi", True, None)]
    assert told["ignored"][0]["what"] == "--pre" and told["ignored"][0]["line"] == 3
    assert told["brought"] == [] and told["truncated"] is False


def test_who_asked_for_each_package(service):
    got = environment(send(service, "-r b.txt\nidna==3.7\n", [("b.txt", "# x\nrequests[socks]==2.31.0\n")]))
    told = {p["name"]: p for p in got["explain"]["packages"]}
    assert sorted(told) == [p["name"] for p in got["packages"]] and got["explain"]["brought"] == sorted(
        name for name, p in told.items() if not p["lines"])
    assert told["requests"]["lines"] == [{"file": "b.txt", "line": 2}] and told["requests"]["required_by"] == []
    assert told["idna"]["lines"] == [{"file": "requirements.txt", "line": 2}]
    assert told["idna"]["required_by"] == ["requests"] and told["pysocks"]["required_by"] == ["requests[socks]"]
    # the lock says it, and gives the same again
    lock = {p["name"]: p for p in tomllib.loads(got["lock"])["packages"]}
    assert 'pysocks ; extra == "socks"' in lock["requests"]["tool"]["cuvette"]["requires"]
    again = service.post([("lock", ("pylock.toml", got["lock"].encode())), ("code", MAIN)], timeout=200)
    assert environment(again)["digest"] == got["digest"] and environment(again)["lock"] == got["lock"]


@pytest.mark.parametrize("text, files, code, place", [
    ("-r gone.txt\n", [], "requirements-file-missing", (None, 1, 4)),
    ("# x\n-c gone.txt\n", [("other.txt", "")], "requirements-file-missing", (None, 2, 4)),
    ("-r a/b.txt\n", [("a/b.txt", "idna\n  -r c.txt\n"), ("c.txt", "idna")],
     "requirements-file-missing", ("a/b.txt", 2, 6)),
    ("-r b.txt\n", [("b.txt", "idna\n\n  idna ==\n")], "requirement-invalid", ("b.txt", 3, 10)),
    ("-r b.txt\n", [("b.txt", "-e .\n")], "requirement-unsupported", ("b.txt", 1, 1)),
    ("-r b.txt\n", [("b.txt", "-r ../../etc/passwd\n")], "requirement-unsupported", ("b.txt", 1, 4)),
    ("-r /etc/passwd\n", [], "requirement-unsupported", (None, 1, 4)),
    ("-r https://host.invalid/r.txt\n", [], "requirement-unsupported", (None, 1, 4)),
    ("-r b.txt\n", [("b.txt", "-r b.txt\n")], "requirement-invalid", ("b.txt", 1, 4)),
    ("-c b.txt\n", [("b.txt", "idna[x]==3.6\n")], "requirement-invalid", ("b.txt", 1, 1)),
])
def test_what_is_refused_has_file_line_and_column(service, text, files, code, place):
    said = error(send(service, text, files), 422, code)
    details = said["details"]
    assert (details.get("file"), details["line"], details["column"]) == place, said
    assert details["text"] and "/etc/passwd:" not in str(said)


def test_what_cannot_be_resolved_leads_back_to_its_file(service):
    files = [("b.txt", "certifi\n# x\nidna==99.99\n")]
    said = error(send(service, "-r b.txt\n", files), 422, "requirements-unresolvable")
    assert (said["details"]["file"], said["details"]["line"]) == ("b.txt", 3)
    assert said["details"]["text"] == "idna==99.99"


@pytest.mark.parametrize("name, status, code", [
    ("../b.txt", 422, "field-invalid"), ("/b.txt", 422, "field-invalid"), ("a//b.txt", 422, "field-invalid"),
    ("a b.txt", 422, "field-invalid"),
])
def test_names_of_files_are_held_to_the_rules(service, name, status, code):
    error(send(service, "idna\n", [(name, "idna")]), status, code)


def test_names_come_once_and_files_have_bounds(service):
    error(send(service, "idna\n", [("b.txt", "idna"), ("b.txt", "idna")]), 400, "field-duplicate")
    error(send(service, "idna\n", [(f"{i}.txt", "") for i in range(16)]), 413, "too-large")
    error(send(service, "-r 0.txt\n", [("0.txt", "#" * (256 * 1024 + 1))]), 413, "too-large")
    error(send(service, "-r 0.txt\n", [(f"{i}.txt", "#" * (256 * 1024)) for i in range(3)]), 413, "too-large")
