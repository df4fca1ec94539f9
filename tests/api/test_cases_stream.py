# SPDX-License-Identifier: MIT
"""Cases that are answered one after the other, as each is done: the lines, their end, clients that go or do not read."""

import contextlib
import json
import os
import textwrap

import client
import contract

BASE = {"requirements": "# none\n", "code": "import sys\nprint(sys.stdin.read(), end='')\n", "lint": False, "mode": "stream",
        "timeout": client.RUN_SECONDS}


@contextlib.contextmanager
def streamed(service, body, headers=None):
    with service.client() as http, http.stream("POST", "/api/v1/run", json=body, headers=headers or {}) as response:
        yield response


def checked(service, line: str) -> dict:
    """A line is as the document says."""
    found = json.loads(line)
    contract.of_build(client.BIN.parent).check_value("CasesLine", found)
    return found


def lines(service, body, headers=None) -> list[dict]:
    with streamed(service, body, headers) as response:
        assert response.status_code == 200 and response.headers["content-type"].startswith("application/x-ndjson")
        return [checked(service, line) for line in response.iter_lines()]


def test_each_case_is_a_line_and_the_last_one_is_of_all(service):
    body = {**BASE, "lint": True, "cases": [{"stdin": "a"}, {"stdin": "é\n\u2028"}, {"stdin": "c"}]}
    *cases, end = lines(service, body)
    assert [(c["event"], c["case"], c["stdout"]) for c in cases] == [
        ("case", 0, "a"), ("case", 1, "é\n\u2028"), ("case", 2, "c")]
    with service.client() as http:
        whole = http.post("/api/v1/run", json={**body, "mode": "sync"}).json()
    assert {k for c in cases for k in c} - {"event", "case"} == set(whole["cases"][0])
    assert end["event"] == "end" and end["success"] is True and set(end) - {"event"} == set(whole) - {"cases"}
    assert end["formatted_code"] == whole["formatted_code"] and end["environment"]["digest"] == whole["environment"]["digest"]


def test_a_case_that_fails_ends_nothing(service):
    code = "import sys, os\nif sys.stdin.read() == 'k': os.kill(os.getpid(), 9)\n"
    *cases, end = lines(service, {**BASE, "code": code, "cases": [{"stdin": "k"}, {}]})
    assert [c["status"] for c in cases] == ["killed", "success"] and end["success"] is False


def test_a_line_comes_when_its_case_is_done_and_who_hangs_up_cancels_the_others(service):
    mark = client.new_mark()
    code = client.marked(mark, "import sys, time\nif sys.stdin.read(): time.sleep(200)\nprint('quick')\n")
    body = {**BASE, "code": code, "timeout": 250, "cases": [{}, {"stdin": "x"}, {}, {}]}
    with streamed(service, body) as response:
        coming = response.iter_lines()
        assert checked(service, next(coming))["stdout"] == "quick\n"
        client.wait_until(lambda: client.processes_with(mark), 30, "the second case is under way")
    client.wait_until(lambda: not client.processes_with(mark), 30, "it was cancelled")

    def said():
        return [line for line in service.log_lines() if response.headers["x-request-id"] in line]

    client.wait_until(lambda: any('"cancelled"' in line for line in said()), 30, "the request has ended")
    # and those behind it were not begun: each run is a line, and the first one alone was one
    assert sum('"run"' in line for line in said()) == 1


def test_while_a_case_runs_the_connection_is_not_silent(service):
    mark = client.new_mark()
    code = "import sys\nif sys.stdin.read():\n" + textwrap.indent(client.waiting(mark), "    ") + "print('told')\n"
    body = {**BASE, "code": code, "timeout": 250, "cases": [{"stdin": "wait"}, {}]}
    with streamed(service, body) as response:
        assert response.status_code == 200
        text = ""
        for piece in response.iter_text():
            text += piece
            # The first case waits to be told: what comes before is no line.
            if "\n" not in text:
                assert not text.strip(" "), text
                client.tell(mark)
    assert text.startswith(" ")
    *cases, end = [checked(service, line) for line in text.splitlines()]
    assert [c["stdout"] for c in cases] == ["told\n"] * 2 and end["event"] == "end"


def test_without_a_line_an_error_is_an_answer_as_any_other(service):
    with service.client() as http:
        refused = http.post("/api/v1/run", json={**BASE, "cases": [{}], "requirements": "no-such-package-as-this==1\n"})
        alone = http.post("/api/v1/run", json=BASE)
    assert refused.status_code == 422 and refused.json()["error"]["code"] == "requirements-unresolvable"
    assert alone.status_code == 400 and "`cases`" in alone.json()["error"]["message"]


# It takes as long as a slow reader has.
if os.environ.get("CUVETTE_TEST_FULL"):
    def test_who_does_not_read_is_cut_off(service):
        request = {**BASE, "code": "print('x' * (8 << 20))\n", "stdout_limit": "16MiB", "cases": [{}] * 4}
        before = len(service.log_lines())
        with service.connect(120) as s:
            s.sendall(client.request(json.dumps(request).encode(), content_type="application/json"))
            client.wait_until(lambda: any('"cancelled"' in line for line in service.log_lines()[before:]), 200,
                              "it was cut off")
        assert service.healthy()
