# SPDX-License-Identifier: MIT
"""Without any network, in a namespace that has no way out: what is in the store and in the
resolver's cache is served, and what is missing is named."""
import json
import os
import subprocess

import pytest
from helpers import ANSWER_S, ask, clean_state, command, environment, environment_of, nix
from served import Server, wheel

DATE = ("--exclude-newer", "2024-09-01")
APART = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--net"]


@pytest.fixture(scope="module")
def index():
    with Server() as server:
        for name in ("known", "other", "seen", "unseen"):
            server.add(wheel(f"off-{name}"))
        yield server


@pytest.fixture(scope="module")
def state(index):
    """One that knows an environment of two packages, and one of another."""
    with clean_state() as folder:
        for text in ("off-known\noff-other\n", "off-seen\n"):
            environment_of(folder, text, *DATE, env=settings(index))
        yield folder


def settings(index, **more):
    return {"UV_DEFAULT_INDEX": index.index, "NETRC": "/dev/null", **more}


def alone(state, index, text, *options, **more):
    done = subprocess.run([*APART, *command(state, text, *DATE, *options)], capture_output=True, text=True, timeout=ANSWER_S,
                          env=environment(settings(index, **more)), check=False, stdin=subprocess.DEVNULL)
    assert done.returncode in (0, 1), done.stderr
    [answer] = [json.loads(line) for line in done.stdout.splitlines()]
    return answer


def lock_of(state, answer):
    """As it is sent: without addresses."""
    lock = json.loads((state / "nix/locks" / (answer["lock_digest"].removeprefix("sha256:") + ".json")).read_text())
    for package in lock["packages"]:
        del package["url"]
    return lock


@pytest.mark.parametrize("more", [{}, {"UV_OFFLINE": "1"}], ids=["cut-off", "told-so"])
def test_what_is_known_is_served(state, index, more):
    text = "off-known\noff-other\n"
    known = alone(state, index, text, **more)
    assert known.get("cached") and known["packages"] == ["off-known 1.0", "off-other 1.0"], known
    assert alone(state, index, "", "--digest", known["digest"], **more).get("digest") == known["digest"]
    sent = alone(state, index, json.dumps(lock_of(state, known)), "--lock", **more)
    assert sent.get("digest") == known["digest"], sent


def test_what_the_cache_has_is_resolved_and_built(state, index):
    """New words for known packages, and a new environment of installations that are there."""
    answer = alone(state, index, "off-known>=1\noff-seen<2\n", UV_OFFLINE="1")
    assert answer.get("packages") == ["off-known 1.0", "off-seen 1.0"] and not answer["cached"], answer


def test_what_the_cache_lacks_is_named(state, index):
    said = alone(state, index, "off-known\noff-unseen\n", UV_OFFLINE="1")["failure"]
    assert (said["code"], said["status"], said["line"]) == ("index-unreachable", 503, 2), said
    assert "`off-unseen`" in said["message"] and "UV_OFFLINE" in said["message"]
    said = alone(state, index, "off-known\noff-unseen\n")["failure"]
    assert said["code"] == "index-unreachable" and "127.0.0.1" not in json.dumps(said), said
    assert "it was asked for `off-" in said["message"], said


def test_a_wheel_that_the_store_lacks_is_named(state, index):
    """The last one here: it takes all environments away."""
    text = "off-known\noff-other\n"
    answer = environment_of(state, text, *DATE, env=settings(index))
    lock = lock_of(state, answer)
    for folder in ("env", "req"):
        for link in (state / "nix/nix/var/nix/gcroots/cuvette" / folder).iterdir():
            link.unlink()
    nix(state, "nix-store", "--gc")
    for sent, options in ((text, ()), (json.dumps(lock), ("--lock",))):
        said = alone(state, index, sent, *options, UV_OFFLINE="1")["failure"]
        assert (said["code"], said["status"]) == ("index-unreachable", 503), said
        assert "1.0" in said["message"] and "off-" in said["message"].replace("off_", "off-"), said
        assert "UV_OFFLINE" in said["message"], said
    assert ask(state, text, *DATE, env=settings(index))[0].get("digest") == answer["digest"]
