# SPDX-License-Identifier: MIT
"""Environments as things of their own: built without a run, listed and shown to who asked for
them, and to nobody else."""

import json
import re
import time

import pytest

import client
import keyed
from client import DATE
from keyed import PATH, Key, cuvette, error_of

NOBODYS = "0123456789abcdfghijklmnpqrsvwxyz"
WHEEL = "idna==3.7\n"


@pytest.fixture(scope="module")
def service():
    with keyed.running() as one:
        yield one


def test_built_listed_shown_and_forgotten(service):
    me = Key(service)
    assert me.get(PATH).json()["environments"] == []
    made = me.built(WHEEL)
    environment, digest = made["environment"], made["environment"]["digest"]
    assert set(made) == {"environment", "image", "request_id"}
    assert environment["packages"] == [{"name": "idna", "version": "3.7"}]
    assert environment["explain"]["lines"][0]["version"] == "3.7" and environment["exclude_newer"] == DATE

    listed = me.listed()[digest]
    assert listed["ready"] is True and listed["packages"] == 1 and listed["python"] == environment["python"]
    assert listed["hits"] == 0 and listed["lock_digest"] == environment["lock_digest"]
    assert me.run(digest).json()["stdout"] == "ran\n"
    assert me.listed()[digest]["hits"] == 1

    shown = me.get(f"{PATH}/{digest}").json()
    for key in ("digest", "lock_digest", "store_path", "python", "packages"):
        assert shown[key] == environment[key], key
    assert shown["image"] == made["image"] and shown["hits"] == 1
    assert environment["store_path"] in shown["closure"] and len(shown["closure"]) >= 2
    assert shown["closure_bytes"] > 10_000
    for moment in ("first_used", "last_used"):
        assert abs(time.time() - time.mktime(time.strptime(shown[moment], "%Y-%m-%dT%H:%M:%SZ")) +
                   time.timezone) < 600
    lock = me.get(f"{PATH}/{digest}/lock")
    assert lock.status_code == 200 and lock.text == environment["lock"]
    assert lock.headers["Content-Type"] == "application/toml"

    again = me.post(PATH, json={"lock": lock.text, "mode": "sync"})
    assert again.json()["environment"]["digest"] == digest and again.json()["environment"]["explain"] is None

    assert me.delete(digest).json()["forgotten"] is True
    assert error_of(me.delete(digest))["code"] == "environment-unknown"
    assert digest not in me.listed()
    for path in (f"{PATH}/{digest}", f"{PATH}/{digest}/lock"):
        assert error_of(me.get(path))["code"] == "environment-unknown"
    assert me.run(digest).status_code == 200  # nothing was deleted


def test_anothers_is_as_one_that_never_was(service):
    me, other = Key(service), Key(service)
    digest = me.built(WHEEL)["environment"]["digest"]
    assert other.listed() == {}
    for suffix in ("", "/lock"):
        theirs, nobodys = (error_of(other.get(f"{PATH}/{d}{suffix}")) for d in (digest, NOBODYS))
        assert theirs == nobodys
    assert error_of(other.delete(digest)) == error_of(other.delete(NOBODYS))
    assert digest in me.listed()
    # Whoever was given the digest may run with it, and has asked for it from then on.
    assert other.run(digest).status_code == 200
    assert set(other.listed()) == {digest}
    assert other.get(f"{PATH}/{digest}").json()["hits"] == 1
    assert other.delete(digest).status_code == 200
    assert digest in me.listed() and me.get(f"{PATH}/{digest}").status_code == 200


def test_a_run_that_is_answered_later_counts_for_who_sent_it(service):
    me, other = Key(service), Key(service)
    accepted = me.post("/api/v1/run", json={"requirements": "# none\n", "code": "pass\n", "mode": "async"}).json()
    client.wait_until(lambda: me.get(accepted["status_url"]).json()["state"] == "done", 60, "it was run")
    assert len(me.listed()) == 1 and other.listed() == {}


def test_an_administrator_sees_all_and_forgets_their_own(service):
    me, other, admin = Key(service), Key(service), Key(service, "admin,environments")
    one, two = me.built(WHEEL)["environment"]["digest"], other.built()["environment"]["digest"]
    assert {one, two} <= set(admin.listed())
    assert admin.get(f"{PATH}/{one}").status_code == admin.get(f"{PATH}/{one}/lock").status_code == 200
    assert error_of(admin.delete(one))["code"] == "environment-unknown"
    assert one in me.listed()


def test_scopes(service):
    digest = Key(service).built()["environment"]["digest"]
    runs, sees = Key(service, "run"), Key(service, "admin")
    for key in (runs, sees):
        for answer in (key.get(PATH), key.get(f"{PATH}/{digest}"), key.get(f"{PATH}/{digest}/lock"), key.build(),
                       key.delete(digest)):
            assert error_of(answer, 403)["code"] == "scope-missing"
    assert runs.service.get(PATH).status_code == 401


def test_what_is_refused(service):
    me = Key(service)
    assert error_of(me.post(PATH, json={"python": "3.11"}), 400)["code"] == "requirements-missing"
    assert error_of(me.post(PATH, json={"requirements": "# none\n", "lock": "x"}), 400)["code"] == "field-conflict"
    unknown = error_of(me.post(PATH, json={"requirements": "# none\n", "code": "pass"}), 400)
    assert unknown["code"] == "field-unknown" and "`requirements_files`" in unknown["message"]
    assert error_of(me.build("idna==\n"), 422)["details"]["line"] == 1
    assert error_of(me.build("idna==0.0.1.dev77\n", mode="sync"), 422)["code"] == "requirements-unresolvable"
    assert me.listed() == {}
    for path in ("x", NOBODYS[:-1], NOBODYS + "/x", "%2e%2e", "a" * 300, NOBODYS + "/lock/"):
        assert me.get(f"{PATH}/{path}").status_code == 404, path
    assert me.post(f"{PATH}/{NOBODYS}").headers["Allow"] == "GET, HEAD, DELETE"


def evicted(admin) -> int:
    text = admin.get("/metrics").text
    return int(re.search(r"^cuvette_environments_evicted_total (\d+)$", text, re.M).group(1))


def test_each_run_is_a_use(service):
    me = Key(service)
    digest = me.built(WHEEL)["environment"]["digest"]

    def uses():
        environments = json.loads(cuvette(service.state, "env", "list", "--json"))["environments"]
        return next(e["uses"] for e in environments if e["digest"] == digest)

    before = uses()
    for _ in range(5):
        assert me.run(digest).status_code == 200
    # The last of them are told of when it is let go.
    client.wait_until(lambda: uses() == before + 5, 60, "all of them are counted")


def test_what_was_evicted_is_listed_and_can_be_built_again(service):
    me = Key(service)
    digest = me.built(WHEEL)["environment"]["digest"]
    admin = Key(service, "admin")
    before = evicted(admin)

    def collected():
        cuvette(service.state, "env", "gc", "--env-count", "0")
        return me.listed()[digest]["ready"] is False

    client.wait_until(collected, 60, "nothing uses it any more")
    client.wait_until(lambda: evicted(admin) > before, 20, "it is counted")
    for suffix in ("", "/lock"):
        assert error_of(me.get(f"{PATH}/{digest}{suffix}"))["code"] == "environment-unknown"
    assert me.built(WHEEL)["environment"]["digest"] == digest
    assert me.listed()[digest]["ready"] is True


def test_lists_outlive_the_service(service):
    me = Key(service)
    digest = me.built()["environment"]["digest"]
    assert me.run(digest).status_code == me.run(digest).status_code == 200
    before = me.listed()[digest]
    assert me.run(digest).status_code == 200
    assert service.stop() == 0
    service.start()
    after = me.listed()[digest]
    assert after["hits"] == before["hits"] + 1 and after["first_used"] == before["first_used"]


def test_without_keys_all_is_one_clients():
    with client.fresh_state() as state, client.Service(state) as open_to_all:
        with open_to_all.client() as http:
            made = http.post(PATH, json={"requirements": "# none\n", "mode": "sync"}).json()["environment"]
            assert [e["digest"] for e in http.get(PATH).json()["environments"]] == [made["digest"]]
            assert http.get(f"{PATH}/{made['digest']}").json()["packages"] == []
            assert http.delete(f"{PATH}/{made['digest']}").status_code == 200
            assert http.get(PATH).json()["environments"] == []
