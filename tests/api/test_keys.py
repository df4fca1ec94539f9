# SPDX-License-Identifier: MIT
"""Keys of the store: made and revoked beside a service that runs, each with its own bounds."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import uuid

import pytest

import client
import contract


def cuvette(state, *words, status=0):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CUVETTE_") and k != "API_KEY"}
    done = subprocess.run([client.BIN / "cuvette", "key", words[0], "--state", state, *words[1:]],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def create(state, *words):
    name = f"k-{uuid.uuid4().hex[:8]}"
    return name, cuvette(state, "create", "--name", name, *words).strip()


@pytest.fixture(scope="module")
def keyed():
    """A service with one key from the beginning, which is beyond loopback for that reason."""
    with client.fresh_state() as state:
        _, key = create(state)
        with client.Service(state, "--listen", "0.0.0.0:0") as running:
            running.first = key
            yield running


def post(service, key, code="print('ran')\n", **options):
    headers = {"X-API-Key": key} if key else {}
    files = [("requirements", ("requirements.txt", b"# none\n", "text/plain")),
             ("code", ("main.py", code.encode(), "text/x-python"))]
    with service.client() as http:
        return http.post("/api/v1/run", files=files, headers=headers, data={"lint": "off", "timeout": str(client.RUN_SECONDS), **options})


def test_a_key_is_needed_and_counts_at_once(keyed):
    refused = post(keyed, None)
    assert refused.status_code == 401 and refused.json()["error"]["code"] == "unauthorized"
    assert "WWW-Authenticate" in refused.headers
    assert post(keyed, "cuv_0123456789abcdef_" + "A" * 43).status_code == 401
    assert post(keyed, keyed.first).json()["stdout"] == "ran\n"
    name, key = create(keyed.state)
    client.wait_until(lambda: post(keyed, key).status_code == 200, 10, "a new key is known")
    cuvette(keyed.state, "revoke", name)
    client.wait_until(lambda: post(keyed, key).status_code == 401, 10, "a revoked key is refused")
    assert keyed.get("/health").status_code == 200  # needs none


def test_a_key_does_what_its_scopes_say(keyed):
    _, key = create(keyed.state, "--scope", "environments")
    client.wait_until(lambda: post(keyed, key).status_code != 401, 10, "the key is known")
    refused = post(keyed, key)
    assert refused.status_code == 403 and refused.json()["error"]["code"] == "scope-missing"
    assert "`environments`" in refused.json()["error"]["message"]


def test_as_many_runs_at_once_as_the_key_may(keyed):
    _, key = create(keyed.state, "--concurrency", "1")
    client.wait_until(lambda: post(keyed, key).status_code == 200, 10, "the key is known")
    code = "import time\ntime.sleep(3)\n"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post(keyed, key, code), range(4)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200 and 429 in statuses and set(statuses) <= {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "rate-limited" and int(refused.headers["Retry-After"]) >= 1
    assert post(keyed, keyed.first).status_code == 200  # others are not held up
    client.wait_until(lambda: post(keyed, key).status_code == 200, 60, "its place is free again")


def test_as_many_runs_a_day_also_after_a_restart():
    with client.fresh_state() as state:
        _, key = create(state, "--quota", "2")
        for expected in (200, 200, 429):
            with client.Service(state) as running:
                answer = post(running, key)
                assert answer.status_code == expected, answer.text
        assert int(answer.headers["Retry-After"]) >= 1


def test_cases_that_are_more_than_a_key_may(keyed):
    """What went well is told, and then what did not."""
    _, key = create(keyed.state, "--quota", "3")
    client.wait_until(lambda: post(keyed, key).status_code == 200, 10, "the key is known")
    answer = post(keyed, key, "print(input())\n", mode="stream", cases=json.dumps([{"stdin": str(i)} for i in range(4)]))
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [f.get("stdout", f["event"]) for f in found] == ["0\n", "1\n", "error"]
    assert found[-1]["error"]["code"] == "rate-limited" and found[-1]["request_id"] == answer.headers["X-Request-Id"]
    contract.of_build(client.BIN.parent).check_value("CasesLine", found[-1])


def path_of(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["path"]


def test_two_keys_share_no_zygote(keyed):
    (_, one), (_, other) = create(keyed.state), create(keyed.state)
    client.wait_until(lambda: post(keyed, one).status_code == 200, 10, "the keys are known")
    client.wait_until(lambda: path_of(post(keyed, one)) != "cold", 60, "a zygote is warm")
    assert path_of(post(keyed, other)) == "cold"


def test_what_the_command_says(keyed):
    name, key = create(keyed.state, "--rate", "5", "--scope", "run,admin")
    listed = json.loads(cuvette(keyed.state, "list", "--json"))
    mine = next(k for k in listed if k["name"] == name)
    assert mine["rate"] == 5 and mine["scopes"] == "run,admin" and mine["revoked"] is None
    assert key.split("_")[1] == mine["id"]
    secret = key.split("_", 2)[2]
    assert secret not in cuvette(keyed.state, "list") and secret not in json.dumps(listed)
    assert "there is a key of the name" in cuvette(keyed.state, "create", "--name", name, status=2)
    assert "--name" in cuvette(keyed.state, "create", status=2)
    assert "--scope" in cuvette(keyed.state, "create", "--name", "x", "--scope", "root", status=2)
    assert "no good key" in cuvette(keyed.state, "revoke", "nobody", status=1)
    folder = pathlib.Path(keyed.state) / "manager"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_uid == folder.stat().st_uid and not file.stat().st_mode & 0o077
               for file in folder.iterdir())
    assert all(secret.encode() not in file.read_bytes() for file in folder.iterdir())
    assert secret not in keyed.log.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's manager is that user")
def test_root_follows_no_link_in_the_managers_folder(tmp_path):
    with client.fresh_state() as state:
        create(state)
        folder = pathlib.Path(state) / "manager"
        theirs = tmp_path / "roots-own"
        theirs.write_bytes(b"secret")
        theirs.chmod(0o600)
        for file in folder.iterdir():
            file.unlink()
        (folder / "service.db").symlink_to(theirs)
        cuvette(state, "create", "--name", "x", status=3)
        assert theirs.read_bytes() == b"secret"
        shutil.rmtree(folder)
        folder.symlink_to(tmp_path)
        assert "manager" in cuvette(state, "create", "--name", "x", status=3)
