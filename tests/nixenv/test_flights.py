# SPDX-License-Identifier: MIT
# tests/run: seconds=300
"""One maker for a request, whichever builder's; failures that are remembered, and for how long not."""
import json
import subprocess
import threading

import pytest
from helpers import ANSWER_S, ask, clean_state, command, environment
from served import Server, wheel

DATE = ("--exclude-newer", "2024-09-01")


@pytest.fixture(name="index")
def served_index():
    with Server() as server:
        yield server


def settings(index):
    return {"UV_DEFAULT_INDEX": index.index, "NETRC": "/dev/null"}


def test_two_builders_make_it_once(state, index):
    """The second one waits for the first, and finds what it made."""
    held, may_go = threading.Event(), threading.Event()

    def behave(reply):
        held.set()
        assert may_go.wait(ANSWER_S)
        reply.whole()

    path = index.add(wheel("shared"))
    index.behaviours[path] = behave
    words = command(state, "shared==1.0\n", "--quiet", *DATE)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment(settings(index))) as first:
        assert held.wait(ANSWER_S)
        pages = len([seen for seen, _ in index.seen if seen.startswith("/simple/")])
        words = command(state, "shared==1.0\n", "--quiet", *DATE)
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment(settings(index))) as second:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(2)
            may_go.set()
            answers = [json.loads(process.communicate(timeout=ANSWER_S)[0]) for process in (first, second)]
    assert answers[0]["digest"] == answers[1]["digest"] and index.counts[path] == 1
    assert len([seen for seen, _ in index.seen if seen.startswith("/simple/")]) == pages
    assert not [file for file in (state / "nix/leases").iterdir() if len(file.name) == 64]


def test_what_failed_just_now_is_not_asked_of_the_index_again(state, index):
    index.add(wheel("other"))
    with clean_state() as new:
        ask(new, "other==2.0\n", *DATE, env=settings(index))
    once = len(index.seen)
    assert once > 0
    answers = ask(state, "other==2.0\n", "--repeat", "5", *DATE, env=settings(index))
    assert {answer["failure"]["code"] for answer in answers} == {"requirements-unresolvable"}
    assert len(index.seen) == 2 * once, "five are asked for as one is"


def test_whoever_is_given_up_keeps_nobody_waiting(state, index):
    """Ended while its index was slow: its turn ends with it."""
    asked, may_go = threading.Event(), threading.Event()

    def behave(reply):
        asked.set()
        may_go.wait(ANSWER_S)
        reply.whole()

    path = index.add(wheel("patient"))
    index.behaviours[path] = behave
    words = command(state, "patient==1.0\n", "--quiet", *DATE)
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment(settings(index))) as first:
        assert asked.wait(ANSWER_S)
        first.terminate()
    del index.behaviours[path]
    try:
        [answer] = ask(state, "patient==1.0\n", *DATE, env=settings(index))
        assert "failure" not in answer, answer
    finally:
        may_go.set()
