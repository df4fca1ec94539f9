# SPDX-License-Identifier: MIT
"""Environments that are built without a run and answered later: where to ask, what is told meanwhile, whose they are."""

import contextlib
import os
import signal

import client
import httpx
import keyed
import pytest
from client import DATE
from keyed import PATH, Key, cuvette, error_of
from test_async import Event

ENDED = ("done", "failed", "cancelled")
WHEEL = "iniconfig==2.0.0\n"


@pytest.fixture(scope="module")
def service():
    with keyed.running() as one:
        yield one


def ended(key, url) -> dict:
    client.wait_until(lambda: key.get(url).json()["state"] in ENDED, 120, "it has ended")
    return key.get(url).json()


def events(key, url, last=None) -> list[Event]:
    headers = {**key.headers, **({"Last-Event-ID": last} if last else {})}
    text = key.service.get(url, headers=headers).text
    return [Event(one) for one in text.split("\n\n") if one and not all(line.startswith(":") for line in one.split("\n"))]


def test_a_build_is_accepted_at_once_and_answered_later(service):
    me = Key(service, "environments")
    answer = me.build(WHEEL)
    accepted = answer.json()
    assert answer.status_code == 202 and answer.headers["Location"] == accepted["status_url"]
    assert accepted["status_url"] == f"{PATH}/builds/{accepted['run_id']}" and accepted["state"] == "queued"
    told = events(me, accepted["events_url"])
    found = ended(me, accepted["status_url"])
    assert found["state"] == "done" and found["error"] is None and found["events_url"] == accepted["events_url"]
    assert found["result"]["environment"]["packages"] == [{"name": "iniconfig", "version": "2.0.0"}]
    at_once = me.build(WHEEL, mode="sync")
    assert at_once.status_code == 200 and set(at_once.json()) == set(found["result"])
    assert at_once.json()["environment"]["digest"] == found["result"]["environment"]["digest"] in me.listed()
    # what was told meanwhile, and again from the middle on
    assert [e.data["state"] for e in told if e.name == "state"] == ["queued", "resolving", "building"]
    progress = [e.data for e in told if e.name == "progress"]
    assert any(p["phase"] == "downloading" and p["total"] == 1 for p in progress) and "stdout" not in {e.name for e in told}
    assert told[-1].name == "end" and told[-1].data == {"state": "done", "success": True}
    middle = [e for e in told if e.id][2]
    assert [e.id for e in events(me, accepted["events_url"], middle.id)] == [e.id for e in told if e.id][3:]


def test_what_can_not_be_built_fails_with_its_line(service):
    me = Key(service, "environments")
    assert error_of(me.build("idna==\n"), 422)["details"]["line"] == 1  # told at once
    accepted = me.post(PATH, json={"requirements": "\nidna==0.0.1.dev77\n", "exclude_newer": DATE, "mode": "async"}).json()
    found = ended(me, accepted["status_url"])
    assert found["state"] == "failed" and found["result"] is None
    assert found["error"]["code"] == "requirements-unresolvable" and found["error"]["details"]["line"] == 2
    assert events(me, accepted["events_url"])[-1].data["error"]["code"] == "requirements-unresolvable"
    for mode in ("stream", "later"):
        assert "`mode`" in error_of(me.build(mode=mode), 422)["message"]


def test_whose_it_is(service):
    me, other, runs = Key(service, "environments"), Key(service), Key(service, "run")
    url = me.build().json()["status_url"]
    ended(me, url)
    nothing = f"{PATH}/builds/{'0' * 32}"
    for suffix in ("", "/events"):
        assert error_of(other.get(url + suffix)) == error_of(other.get(nothing + suffix))
        assert error_of(runs.get(url + suffix), 403)["code"] == "scope-missing"
    assert me.get(url).status_code == 200
    assert error_of(me.get(url.replace("environments/builds", "runs")), 403)["code"] == "scope-missing"
    # Who may run finds builds among the runs.
    made = other.build().json()
    assert ended(other, f"/api/v1/runs/{made['run_id']}")["state"] == "done"
    assert made["run_id"] in {r["run_id"] for r in other.get("/api/v1/runs").json()["runs"]}


def test_one_that_waits_can_be_cancelled_and_outlives_a_kill(service):
    text = cuvette(service.state, "key", "create", "--name", "one-at-once", "--concurrency", "1").strip()
    me = Key(service)
    me.headers = {"X-API-Key": text}
    client.wait_until(lambda: me.get(PATH).status_code != 401, 10, "the key is known")
    held = me.post("/api/v1/run", json={"requirements": "# none\n", "code": "import time\ntime.sleep(250)\n", "lint": False,
                                        "timeout": 280, "mode": "async"}).json()["status_url"]
    client.wait_until(lambda: me.get(held).json()["state"] == "running", 60, "the client's place is taken")
    waits, stays = me.build().json(), me.build(WHEEL).json()
    assert me.get(waits["status_url"]).json()["state"] == "queued"
    with service.client() as http:
        gone = http.delete(waits["status_url"], headers=me.headers).json()
    assert gone["state"] == "cancelled" and me.get(waits["status_url"]).json()["state"] == "cancelled"
    os.kill(service.pid_of("cuvette-manager"), signal.SIGKILL)

    def is_back():
        with contextlib.suppress(httpx.TransportError):
            return me.get(held).status_code == 200
        return False

    client.wait_until(is_back, 60, "the manager is back")
    found = ended(me, stays["status_url"])
    assert found["state"] == "done" and found["result"]["environment"]["packages"][0]["name"] == "iniconfig"
