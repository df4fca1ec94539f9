# SPDX-License-Identifier: MIT
"""Runs that are accepted now and answered later: status, events, cancelling, whose they are, and what outlives a kill."""

import base64
import concurrent.futures
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import uuid

import httpx
import pytest

import client

ENDED = ("done", "failed", "cancelled")


def key_command(state, *words) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CUVETTE_") and k != "API_KEY"}
    done = subprocess.run([client.BIN / "cuvette", "key", words[0], "--state", state, *words[1:]],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, env=environment,
                          check=True)
    return done.stdout.strip()


def create_key(state, *words, name=None) -> str:
    return key_command(state, "create", "--name", name or uuid.uuid4().hex[:8], *words)


def submit(service, code, key=None, **fields) -> httpx.Response:
    body = {"requirements": "# none\n", "code": code, "mode": "async", "lint": "off", "timeout": client.RUN_SECONDS, **fields}
    with service.client() as http:
        return http.post("/api/v1/run", json=body, headers={"X-API-Key": key} if key else {})


def accepted(service, code, key=None, **fields) -> str:
    response = submit(service, code, key, **fields)
    assert response.status_code == 202, response.text
    return response.json()["run_id"]


def ask(service, run_id, key=None, method="GET", path="") -> httpx.Response:
    with service.client() as http:
        return http.request(method, f"/api/v1/runs/{run_id}{path}", headers={"X-API-Key": key} if key else {})


def status(service, run_id, key=None) -> dict:
    response = ask(service, run_id, key)
    assert response.status_code == 200, response.text
    return response.json()


def ended(service, run_id, key=None, seconds=120) -> dict:
    client.wait_until(lambda: status(service, run_id, key)["state"] in ENDED, seconds, "the run has ended")
    return status(service, run_id, key)


class Event:
    def __init__(self, text: str):
        self.fields = dict(line.split(": ", 1) for line in text.split("\n") if not line.startswith(":"))
        self.name, self.id = self.fields.get("event"), self.fields.get("id")
        self.data = json.loads(self.fields["data"]) if "data" in self.fields else None


def events(service, run_id, key=None, last=None):
    """Each event as it comes, to the end of the stream."""
    headers = {"X-API-Key": key} if key else {}
    if last:
        headers["Last-Event-ID"] = last
    with service.client() as http, http.stream("GET", f"/api/v1/runs/{run_id}/events", headers=headers) as response:
        assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
        text = ""
        for piece in response.iter_text():
            text += piece
            while "\n\n" in text:
                one, _, text = text.partition("\n\n")
                if not all(line.startswith(":") for line in one.split("\n")):
                    yield Event(one)


def text_of(found, name) -> str:
    return "".join(e.data["data"] for e in found if e.name == name)


def test_it_is_accepted_at_once_and_answered_later(service):
    response = submit(service, "import sys\nprint('later', sys.argv[1:], open('a.txt').read())\n", args=["x"],
                      files={"a.txt": "text"})
    assert response.status_code == 202 and set(response.json()) == {"run_id", "state", "status_url", "events_url",
                                                                    "request_id"}
    answer = response.json()
    assert re.fullmatch("[0-9a-f]{32}", answer["run_id"])
    assert answer["status_url"] == f"/api/v1/runs/{answer['run_id']}" == response.headers["location"]
    assert answer["events_url"] == answer["status_url"] + "/events"
    found = ended(service, answer["run_id"])
    assert found["state"] == "done" and found["error"] is None and found["request_id"] == answer["request_id"]
    assert found["accepted"] <= found["ended"] < found["expires"] and found["position"] is None
    result = found["result"]
    assert result["stdout"] == "later ['x'] text\n" and result["run_id"] == answer["run_id"] and result["success"]
    now = service.answer("print('now')\n", lint="off", mode="sync")
    assert set(result) == set(now)


def test_a_form_with_files_does_the_same(service):
    response = service.run("import sys\nprint(sys.stdin.read())\n", stdin=b"in", mode="async", lint="off")
    assert response.status_code == 202
    assert ended(service, response.json()["run_id"])["result"]["stdout"] == "in\n"


def test_cases_are_runs_of_one_request(service):
    run_id = accepted(service, "import sys\nprint(sys.argv[1:])\n", cases=[{"args": ["a"]}, {"args": ["b"]}])
    found = list(events(service, run_id))
    result = ended(service, run_id)["result"]
    assert [case["stdout"] for case in result["cases"]] == ["['a']\n", "['b']\n"] and result["success"]
    assert [(e.data["case"], e.data["data"]) for e in found if e.name == "stdout"] == [(0, "['a']\n"), (1, "['b']\n")]
    assert [e.data for e in found if e.name == "case"] == [
        {"case": i, "success": True, "status": "success", "return_code": 0} for i in range(2)]


def test_what_is_wrong_with_a_request_is_said_at_once(service):
    response = submit(service, "pass\n", timeout="100000")
    assert response.status_code == 422 and response.json()["error"]["code"] == "limit-exceeded"
    response = submit(service, "pass\n", mode="later")
    assert response.status_code == 422 and "`sync`, `async` or `stream`" in response.json()["error"]["message"]


def test_what_fails_later_is_a_typed_error(service):
    with service.client() as http:
        response = http.post("/api/v1/run", json={"env": "0" * 32, "code": "pass\n", "mode": "async"})
    assert response.status_code == 202, response.text
    run_id = response.json()["run_id"]
    found = ended(service, run_id)
    assert found["state"] == "failed" and found["result"] is None
    assert found["error"]["code"] == "environment-unknown" and "message" in found["error"]
    last = list(events(service, run_id))[-1]
    assert last.name == "end" and last.data["error"]["code"] == "environment-unknown"


def test_events_tell_states_and_output_in_order_and_end(service):
    code = ("import os, sys, time\nprint('first', flush=True)\nsys.stdout.buffer.write('é'.encode()[:1])\n"
            "sys.stdout.flush()\ntime.sleep(0.3)\nsys.stdout.buffer.write('é'.encode()[1:] + b'\\xff|')\n"
            "sys.stdout.flush()\nprint('oops', file=sys.stderr)\n")
    run_id = accepted(service, code)
    found = list(events(service, run_id))
    states = [e.data["state"] for e in found if e.name == "state"]
    assert states[0] == "queued" and states[-1] == "running" and states.count("running") == 1
    result = status(service, run_id)["result"]
    assert text_of(found, "stdout") == result["stdout"] == "first\né\ufffd|" and text_of(found, "stderr") == "oops\n"
    assert found[-1].name == "end" and found[-1].data == {"state": "done", "success": True}
    numbers = [int(e.id.partition("-")[2]) for e in found if e.id]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len({e.id.partition("-")[0] for e in found if e.id}) == 1


def until_told(marker) -> str:
    return client.marked(marker, "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n"
                         "print('begun', flush=True)\nsignal.sigtimedwait([signal.SIGUSR1], 250)\nprint('told')\n")


def tell(marker) -> None:
    for pid in client.processes_with(marker):
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)


def test_output_comes_while_the_program_runs_and_a_stream_is_taken_up_again(service):
    marker = client.new_mark()
    run_id = accepted(service, until_told(marker), timeout="280")
    seen = []
    for event in events(service, run_id):
        seen.append(event)
        if text_of(seen, "stdout") == "begun\n":
            break
    assert status(service, run_id)["state"] == "running"
    tell(marker)
    rest = list(events(service, run_id, last=seen[-1].id))
    assert text_of(rest, "stdout") == "told\n" and rest[-1].name == "end"
    assert not {e.id for e in rest} & {e.id for e in seen}
    for odd in ("x", "00000000-1", seen[-1].id + "9", "é", seen[-1].id.partition("-")[0] + "-99999999999999999999"):
        again = list(events(service, run_id, last=odd.encode()))
        assert text_of(again, "stdout") == "begun\ntold\n"


def test_base64_output_is_base64_in_events_too(service):
    run_id = accepted(service, "import sys\nsys.stdout.buffer.write(bytes(range(256)))\n", output_encoding="base64")
    found = [e for e in events(service, run_id) if e.name == "stdout"]
    assert b"".join(base64.b64decode(e.data["data"]) for e in found) == bytes(range(256))


def test_much_output_is_all_in_the_answer_and_the_latest_in_the_events(service):
    run_id = accepted(service, "print('0123456789abcde\\n' * 200000 + 'last')\n", stdout_limit="8MiB")
    assert len(ended(service, run_id)["result"]["stdout"]) == 16 * 200000 + 5
    found = list(events(service, run_id))
    text = text_of(found, "stdout")
    assert text.endswith("last\n") and len(text) <= 1 << 20
    assert int(found[0].id.partition("-")[2]) > 1 and found[-1].name == "end"


def test_a_big_answer_is_kept_beside_the_database(service):
    before = sizes(service)[1]
    runs = [accepted(service, f"print({digit} * 999_999)\n", stdout_limit="1MiB") for digit in ("'a'", "'b'")]
    found = [ended(service, run_id)["result"]["stdout"] for run_id in runs]
    assert found == ["a" * 999_999 + "\n", "b" * 999_999 + "\n"]
    data, rows = sizes(service)
    assert data >= 2_000_000 and rows - before < 1_000_000, (data, rows, before)


def sizes(service) -> tuple[int, int]:
    """Of files, and of the database and its log."""
    folder = service.state / "manager"
    return ((folder / "files.data").stat().st_size,
            sum((folder / name).stat().st_size for name in ("service.db", "service.db-wal")))


def test_delete_cancels_what_runs_and_what_has_ended_stays(service):
    marker = client.new_mark()
    run_id = accepted(service, client.marked(marker, "import time\ntime.sleep(100)\n"), timeout="120")
    client.wait_until(lambda: client.processes_with(marker), 30, "the run started")
    response = ask(service, run_id, method="DELETE")
    assert response.status_code == 200 and response.json()["state"] == "cancelled"
    client.wait_until(lambda: not client.processes_with(marker), 5, "its processes are gone")
    found = status(service, run_id)
    assert found["state"] == "cancelled" and found["result"] is None and found["error"] is None
    assert list(events(service, run_id))[-1].data == {"state": "cancelled"}
    assert ask(service, run_id, method="DELETE").json()["state"] == "cancelled"
    other = accepted(service, "print(1)\n")
    ended(service, other)
    assert ask(service, other, method="DELETE").json()["result"]["stdout"] == "1\n"


@pytest.mark.parametrize("path", ["", "/events"])
def test_a_run_that_is_not_there_is_404(service, path):
    for run_id in ("0" * 32, "x", "a" * 255, "%2e%2e", "' OR 1=1 --"):
        response = ask(service, run_id, path=path)
        assert response.status_code == 404 and response.json()["error"]["code"] == "not-found"
    assert ask(service, "0" * 32, method="DELETE").status_code == 404
    refused = ask(service, "0" * 32, method="PUT")
    assert refused.status_code == 405 and refused.headers["allow"] == "GET, HEAD, DELETE"


def test_who_hangs_up_does_not_cancel_and_a_comment_keeps_the_line_open(service):
    marker = client.new_mark()
    run_id = accepted(service, until_told(marker), timeout="280")
    with service.connect() as s:
        s.sendall(f"GET /api/v1/runs/{run_id}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        data = b""
        while b"begun" not in data or b"\n:\n\n" not in data:
            chunk = s.recv(65536)
            assert chunk, data
            data += chunk
    tell(marker)
    assert ended(service, run_id)["result"]["stdout"] == "begun\ntold\n"


# --- with keys, one at a time ---


@pytest.fixture(scope="module")
def keyed():
    with client.fresh_state() as state:
        keys = [create_key(state), create_key(state), create_key(state, "--concurrency", "1", "--quota", "6")]
        with client.Service(state, "--runs-at-once", "1", "--runs-queue", "6", "--clients", "16",
                            "--drain-timeout", "300") as running:
            running.keys = keys
            yield running


def test_to_others_a_run_is_not_there(keyed):
    mine, other, _ = keyed.keys
    run_id = accepted(keyed, "print('mine')\n", mine)
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        assert ask(keyed, run_id, other, method, path).status_code == 404
        assert ask(keyed, run_id, None, method, path).status_code == 401
    assert ended(keyed, run_id, mine)["result"]["stdout"] == "mine\n"
    assert ask(keyed, run_id, other).status_code == 404
    assert ask(keyed, run_id, other, path="/events").status_code == 404


STAMP = "import time\nprint(time.time_ns())\n"


def holding(service, key):
    """A run that takes the only place until it is told to end."""
    marker = client.new_mark()
    run_id = accepted(service, client.marked(marker, "import time\ntime.sleep(280)\n"), key, timeout="290")
    client.wait_until(lambda: client.processes_with(marker), 30, "the run started")
    # Which the service is told a moment later.
    client.wait_until(lambda: status(service, run_id, key)["state"] == "running", 30, "the service knows that it runs")
    return run_id


def test_one_clients_many_do_not_hold_up_anothers_one(keyed):
    many, one, _ = keyed.keys
    held = holding(keyed, many)
    first = [accepted(keyed, STAMP, many) for _ in range(6)]
    full = submit(keyed, STAMP, many)
    assert full.status_code == 503 and full.json()["error"]["code"] == "overloaded"
    assert int(full.headers["retry-after"]) >= 1
    alone = accepted(keyed, STAMP, one)
    assert status(keyed, first[5], many)["position"] == 6 and status(keyed, alone, one)["position"] == 1
    stream = events(keyed, alone, one)
    assert [next(stream).name, next(stream).data] == ["state", {"position": 1}]
    assert ask(keyed, first[0], many, "DELETE").json()["state"] == "cancelled"
    assert status(keyed, first[5], many)["position"] == 5
    ask(keyed, held, many, "DELETE")
    when = [int(ended(keyed, run_id, many)["result"]["stdout"]) for run_id in first[1:]]
    assert int(ended(keyed, alone, one)["result"]["stdout"]) < when[1] and when == sorted(when)


def listed(service, key, **query) -> list[dict]:
    """All pages."""
    found, cursor = [], {}
    while cursor is not None:
        with service.client() as http:
            response = http.get("/api/v1/runs", params={**query, **cursor}, headers={"X-API-Key": key} if key else {})
        assert response.status_code == 200, response.text
        page = response.json()
        found += page["runs"]
        cursor = {"cursor": page["next"]} if page["next"] else None
    return found


def test_the_list_has_ones_own_runs_and_nobody_elses(keyed):
    mine, other, _ = keyed.keys
    before = {run["run_id"] for run in listed(keyed, mine) + listed(keyed, other)}
    new = lambda key, **query: [run for run in listed(keyed, key, **query) if run["run_id"] not in before]  # noqa: E731
    held = holding(keyed, mine)
    waiting = [accepted(keyed, STAMP, mine) for _ in range(3)]
    others = accepted(keyed, STAMP, other)
    for limit in (1, 3, 50):
        found = new(mine, limit=limit)
        assert [run["run_id"] for run in found] == [*waiting[::-1], held]
        assert [(run["state"], run["position"]) for run in found] == [("queued", 3), ("queued", 2), ("queued", 1),
                                                                     ("running", None)]
    assert [run["run_id"] for run in new(other)] == [others]
    assert [run["run_id"] for run in new(mine, state="running,done")] == [held] and new(mine, state="building") == []
    ask(keyed, waiting[1], mine, "DELETE")
    assert [run["run_id"] for run in new(mine, state="cancelled")] == [waiting[1]]
    ask(keyed, held, mine, "DELETE")
    assert ended(keyed, waiting[2], mine)["state"] == "done" and ended(keyed, others, other)["state"] == "done"
    done = new(mine, state="done")
    assert [run["run_id"] for run in done] == [waiting[2], waiting[0]] and new(mine, state="queued") == []
    assert all(run["status_url"] == f"/api/v1/runs/{run['run_id']}" and run["expires"] > run["ended"] for run in done)
    with keyed.client() as http:
        theirs = http.get("/api/v1/runs", params={"cursor": others}, headers={"X-API-Key": mine})
        assert theirs.status_code == 404 and theirs.json()["error"]["code"] == "not-found"
        assert http.get("/api/v1/runs").status_code == 401


@pytest.mark.parametrize("query, status, code", [
    ("limit=0", 422, "field-invalid"), ("limit=201", 422, "field-invalid"), ("limit=-1", 422, "field-invalid"),
    ("limit=1&limit=2", 400, "field-duplicate"), ("state=", 422, "field-invalid"), ("state=gone", 422, "field-invalid"),
    ("cursor=../..", 422, "field-invalid"), ("cursor=" + 32 * "0", 404, "not-found"), ("tenant=other", 400, "field-unknown"),
    ("limit", 400, "bad-request"), ("limit=%00", 400, "bad-request"), ("state=%ff", 400, "bad-request")])
def test_a_list_that_is_asked_for_in_no_right_words(service, query, status, code):
    with service.client() as http:
        response = http.get(f"/api/v1/runs?{query}")
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_a_part_of_the_connections_follows_runs_and_one_client_has_half_of_it(keyed):
    key, other, third = keyed.keys
    held = holding(keyed, key)
    with contextlib.ExitStack() as stack:
        for one in (key, other):
            run_id = held if one is key else accepted(keyed, STAMP, other)
            for _ in range(2):
                stream = events(keyed, run_id, one)
                stack.callback(stream.close)
                assert next(stream).name == "state"
            if one is key:
                refused = ask(keyed, held, key, path="/events")
                assert refused.status_code == 429 and refused.json()["error"]["code"] == "rate-limited"
                assert int(refused.headers["retry-after"]) >= 1
        refused = ask(keyed, held, third, path="/events")
        assert refused.status_code == 503 and refused.json()["error"]["code"] == "overloaded"
        assert status(keyed, held, key)["state"] == "running"
    # Who hangs up makes room.
    client.wait_until(lambda: ask_stream(keyed, held, key) == 200, 20, "there is room again")
    ask(keyed, held, key, "DELETE")


def test_requests_that_come_at_once_find_no_more_room_than_there_is(keyed):
    key = keyed.keys[0]
    held = holding(keyed, key)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: submit(keyed, STAMP, key, stdin="x" * (1 << 20)), range(12)))
    assert sorted(answer.status_code for answer in answers) == [202] * 6 + [503] * 6
    for answer in answers[::-1]:
        if answer.status_code == 202:
            ask(keyed, answer.json()["run_id"], key, "DELETE")
    ask(keyed, held, key, "DELETE")


def test_a_run_of_a_key_that_was_revoked_does_not_begin(keyed):
    key, name = keyed.keys[0], uuid.uuid4().hex[:8]
    revoked = create_key(keyed.state, name=name)
    marker = client.new_mark()
    held = accepted(keyed, until_told(marker), key, timeout="280")
    client.wait_until(lambda: client.processes_with(marker), 30, "it runs")
    client.wait_until(lambda: submit(keyed, "pass\n", revoked).status_code == 202, 10, "the new key is known")
    waiting = accepted(keyed, "pass\n#" + 200_000 * "x", revoked)
    assert requests_kept(keyed) == [f"queue/{waiting}"]
    key_command(keyed.state, "revoke", name)
    # From here on nobody comes with a key until it has been its turn.
    client.wait_until(lambda: tell(marker) or has_ended(keyed, waiting), 60, "its turn came")
    assert has_ended(keyed, waiting) == {"state": "failed", "code": "unauthorized"}
    assert ended(keyed, held, key)["state"] == "done"
    client.wait_until(lambda: not requests_kept(keyed), 30, "its request is gone")


def requests_kept(service) -> list[str]:
    """Those that are too big for a row."""
    with contextlib.closing(sqlite3.connect(f"file:{service.state}/manager/service.db?mode=ro", uri=True)) as db:
        return [name for name, in db.execute("SELECT name FROM file WHERE name LIKE 'queue/%'")]


def has_ended(service, run_id) -> dict:
    """What the log says of it; nothing is asked of the service."""
    found = [json.loads(line) for line in service.log_lines() if run_id in line and '"run-ended"' in line]
    return {name: found[0][name] for name in ("state", "code")} if found else {}


def ask_stream(service, run_id, key) -> int:
    with service.client() as http, http.stream("GET", f"/api/v1/runs/{run_id}/events", headers={"X-API-Key": key}) as r:
        return r.status_code


def test_a_place_is_taken_when_it_begins_and_the_quota_when_it_is_accepted(keyed):
    key = keyed.keys[2]
    marker = client.new_mark()
    files = [("requirements", ("requirements.txt", b"# none\n")), ("code", ("main.py", until_told(marker).encode()))]
    with keyed.client() as http, concurrent.futures.ThreadPoolExecutor(1) as pool:
        # Its only place is taken by a run that is waited for.
        now = pool.submit(lambda: http.post("/api/v1/run", files=files, data={"timeout": "280"},
                                            headers={"X-API-Key": key}, timeout=300))
        client.wait_until(lambda: client.processes_with(marker), 30, "it runs")
        runs = [accepted(keyed, STAMP, key) for _ in range(5)]
        assert {status(keyed, run_id, key)["state"] for run_id in runs} == {"queued"}
        client.wait_until(lambda: tell(marker) or now.done(), 30, "it has ended")
        assert now.result().status_code == 200
    refused = submit(keyed, STAMP, key)
    assert refused.status_code == 429 and refused.json()["error"]["code"] == "rate-limited"
    assert all(ended(keyed, run_id, key)["state"] == "done" for run_id in runs)


# --- what outlives a kill ---


def test_kill_9_of_the_manager_leaves_each_run_exactly_one_answer(keyed):
    key = keyed.keys[0]
    before = accepted(keyed, "print('before')\n", key)
    assert ended(keyed, before, key)["state"] == "done"
    begun = holding(keyed, key)
    cancelled = accepted(keyed, STAMP, key)
    ask(keyed, cancelled, key, "DELETE")
    waiting = [accepted(keyed, f"print({i})\n", key, stdin={"base64": base64.b64encode(os.urandom(1 << 20)).decode()})
               for i in range(3)]
    last = list(events(keyed, cancelled, key))[-1].id
    os.kill(keyed.pid_of("cuvette-manager"), signal.SIGKILL)

    def is_back():
        with contextlib.suppress(httpx.TransportError):
            return ask(keyed, begun, key).status_code == 200
        return False

    client.wait_until(is_back, 60, "the manager is back")
    found = status(keyed, begun, key)
    assert found["state"] == "failed" and found["error"]["code"] == "interrupted"
    assert found["error"]["details"]["retry_after"] >= 1
    assert [ended(keyed, run_id, key)["result"]["stdout"] for run_id in waiting] == ["0\n", "1\n", "2\n"]
    assert status(keyed, before, key)["result"]["stdout"] == "before\n"
    assert status(keyed, cancelled, key)["state"] == "cancelled"
    # Events are not kept, but for how it ended; ids of the other process mean the beginning.
    assert [e.data for e in events(keyed, begun, key)] == [{"state": "failed"}]
    again = list(events(keyed, waiting[0], key, last=last))
    assert text_of(again, "stdout") == "0\n" and again[0].data == {"state": "queued"}


def test_sigterm_answers_what_runs_and_the_next_service_what_waits(keyed):
    key = keyed.keys[0]
    before, marker = accepted(keyed, "print('before')\n", key), client.new_mark()
    found = ended(keyed, before, key)
    running = accepted(keyed, until_told(marker), key, timeout="280")
    client.wait_until(lambda: client.processes_with(marker), 30, "it runs")
    waiting = [accepted(keyed, f"print({i})\n", key) for i in range(3)]
    stream = events(keyed, waiting[0], key)
    assert next(stream).data == {"state": "queued"}
    keyed.process.send_signal(signal.SIGTERM)
    client.wait_until(lambda: keyed.get("/health").json()["draining"], 30, "it heard")
    refused = submit(keyed, "pass\n", key)
    assert refused.status_code == 503 and refused.json()["error"]["code"] == "draining"
    # Who follows what will not begin here is let go, to come back with the id of the last event.
    assert {e.name for e in stream} <= {"queue"}
    assert status(keyed, waiting[0], key)["state"] == "queued"
    client.wait_until(lambda: tell(marker) or keyed.process.poll() is not None, 60, "it has ended")
    assert keyed.process.wait(300) == 0
    with client.Service(keyed.state, "--runs-at-once", "1") as after:
        assert status(after, running, key)["result"]["stdout"] == "begun\ntold\n"
        assert [ended(after, run_id, key)["result"]["stdout"] for run_id in waiting] == ["0\n", "1\n", "2\n"]
        assert status(after, before, key) == found
