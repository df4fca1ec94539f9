# SPDX-License-Identifier: MIT
"""While an index is asked, what its last answers come to is built; and used only if they are still so."""
import contextlib
import fcntl
import json
import shutil
import subprocess
import threading

import pytest
from helpers import ANSWER_S, clean_state, command, environment, environment_of, nix, physical, wait_for
from served import Server, wheel

DATE = ("--exclude-newer", "2024-09-01")
TEXT = "lefty\nrighty==1.0\n"


@pytest.fixture(scope="module", name="state")
def shared_state():
    with clean_state() as folder:
        yield folder


@pytest.fixture(name="index")
def served_index():
    with Server() as server:
        server.add(wheel("lefty"))
        server.add(wheel("righty"))
        yield server


def settings(index):
    return {"UV_DEFAULT_INDEX": index.index, "NETRC": "/dev/null"}


def forget(state, *names):
    """Nothing is known any more, and these are not in the store."""
    for links in ("env", "req"):
        shutil.rmtree(state / "nix/nix/var/nix/gcroots/cuvette" / links)
    nix(state, "nix-store", "--delete", *(f"/nix/store/{name}" for name in names))
    assert not any(physical(state, name).exists() for name in names)


def is_linked(state, name):
    return (state / "nix/nix/var/nix/gcroots/cuvette/env" / name).is_symlink()


def free_places(state):
    n = 0
    for place in (state / "nix").glob("install.*"):
        with open(place, "rb") as file, contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            n += 1
    return n


@contextlib.contextmanager
def asked_of_a_slow_index(state, index):
    """The asking process, and what lets the index answer it."""
    asked, may_go = threading.Event(), threading.Event()

    def behave(reply):
        asked.set()
        assert may_go.wait(ANSWER_S)
        reply.whole(Content_Type="application/vnd.pypi.simple.v1+json")

    index.resolver["/simple/lefty/"] = behave
    with subprocess.Popen(command(state, TEXT, *DATE), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment(settings(index))) as process:
        try:
            assert asked.wait(ANSWER_S)
            yield process, may_go
        finally:
            may_go.set()


def answer_of(process):
    out, err = process.communicate(timeout=ANSWER_S)
    answer = json.loads(out)
    assert "env" in answer, err
    return answer


def test_is_built_while_the_index_is_asked(state, index):
    first = environment_of(state, TEXT, *DATE, env=settings(index))
    places = free_places(state)
    forget(state, *first["closure"])
    with asked_of_a_slow_index(state, index) as (process, may_go):
        wait_for(lambda: physical(state, first["env"]).exists(), ANSWER_S, "the environment")
        # It is nobody's before the index has answered, and keeps nobody from installing.
        wait_for(lambda: free_places(state) == places, ANSWER_S, "a place that is given back")
        assert not is_linked(state, first["env"])
        may_go.set()
        answer = answer_of(process)
    assert answer["digest"] == first["digest"] and not answer["cached"] and is_linked(state, first["env"])
    assert len([path for path in index.files if path.endswith(".whl") and index.ours(path)]) == 2


def test_wrong_one_is_not_used(state, index):
    first = environment_of(state, TEXT, *DATE, env=settings(index))
    forget(state, *first["closure"])
    index.add(wheel("lefty", "2.0"))
    with asked_of_a_slow_index(state, index) as (process, may_go):
        wait_for(lambda: physical(state, first["env"]).exists(), ANSWER_S, "the environment")
        may_go.set()
        answer = answer_of(process)
    assert "lefty 2.0" in answer["packages"] and answer["digest"] != first["digest"]
    assert is_linked(state, answer["env"]) and not is_linked(state, first["env"])


def test_wheel_that_is_gone_is_fetched(state, index):
    first = environment_of(state, TEXT, *DATE, env=settings(index))
    [path] = [path for path in index.files if path.endswith("lefty-1.0-py3-none-any.whl")]
    [file] = [file.name for file in (state / "nix/nix/store").glob("*-lefty-1.0-py3-none-any.whl")]
    forget(state, first["env"], first["closure"][1], file)
    before = len(index.ours(path))
    answer = environment_of(state, TEXT, *DATE, env=settings(index))
    assert answer["digest"] == first["digest"] and len(index.ours(path)) == before + 1
