# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""Environments: known ones cost nothing, and what can't be had is refused with a reason."""

import concurrent.futures
import contextlib
import os
import pathlib
import re
import threading
import time

import client
import pytest
from client import DATE


def error_of(response, status):
    assert response.status_code == status, response.text
    return response.json()["error"]


def test_the_second_request_finds_the_same_environment_cached(service):
    first = service.answer("pass\n", "idna==3.6\n", exclude_newer=DATE)["environment"]
    second = service.answer("print(1)\n", "# another comment\nIDNA == 3.6\n", exclude_newer=DATE)["environment"]
    assert second["cached"] is True
    for key in ("digest", "lock_digest", "store_path", "packages", "python"):
        assert first[key] == second[key], key


def test_the_sample_gives_the_digest_that_the_readme_shows(service):
    sample = pathlib.Path("examples/hello")
    wanted = re.search(r'"environment": \{\s*"digest": "([0-9a-z]{32})"', pathlib.Path("README.md").read_text())[1]
    got = service.answer((sample / "main.py").read_text(), (sample / "requirements.txt").read_text(),
                         exclude_newer=(sample / "exclude_newer").read_text().strip())
    assert got["environment"]["digest"] == wanted


def test_another_version_is_another_environment(service):
    digests = {service.answer("pass\n", f"idna=={v}\n", exclude_newer=DATE)["environment"]["digest"]
               for v in ("3.6", "3.7")}
    assert len(digests) == 2


def test_two_clean_state_folders_give_the_same_digest(service):
    wanted = service.answer("pass\n", "idna==3.7\n", exclude_newer=DATE)
    with client.fresh_state() as state, client.Service(state) as other:
        got = other.answer("pass\n", "idna==3.7\n", exclude_newer=DATE)
    assert got["environment"]["cached"] is False
    for key in ("digest", "lock_digest", "store_path"):
        assert got["environment"][key] == wanted["environment"][key]
    assert got["image"] == wanted["image"]


def test_the_same_new_environment_asked_for_ten_times_at_once_is_built_once(service):
    with client.fresh_state() as state, client.Service(state) as other:
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            jobs = [pool.submit(other.answer, f"print({i})\n", "certifi==2024.7.4\n", exclude_newer=DATE)
                    for i in range(10)]
            answers = [j.result() for j in jobs]
    assert [a["stdout"] for a in answers] == [f"{i}\n" for i in range(10)]
    assert len({a["environment"]["digest"] for a in answers}) == 1


def executed(calls):
    """The programs of all execve that came to be; strace splits a call in two
    lines where another process's comes in between."""
    programs, begun = [], {}
    for line in calls.splitlines():
        pid, _, call = line.partition(" ")
        if found := re.match(r' *execve(?:at)?\((?:\d+, )?"([^"]*)"', call):
            begun[pid] = found[1]
        elif not re.match(r" *<\.\.\. execve(?:at)? resumed", call):
            continue
        if call.endswith("= 0"):
            programs.append(begun.pop(pid))
    return programs


@client.one_good_of(3)  # a kept ruff that was late is replaced
def test_a_warm_request_executes_nothing_but_python(service, tmp_path):
    text = "requests==2.31.0\n"
    service.answer("import requests\n", text, exclude_newer=DATE)
    with client.traced(service, "execve,execveat", tmp_path / "calls"):
        assert service.answer("print(7)\n", text, exclude_newer=DATE)["stdout"] == "7\n"
    programs = executed((tmp_path / "calls").read_text())
    assert len(programs) <= 1, programs  # none where it was forked from a zygote
    assert all(re.fullmatch(r"python[0-9.]*", os.path.basename(p)) for p in programs), programs


def test_an_unknown_package_is_422_with_the_line_and_the_reason(service):
    name = "cuvette-tests-ask-for-what-is-not-there"
    error = error_of(service.run("pass\n", f"idna==3.7\n{name}==1.0\n", exclude_newer=DATE), 422)
    assert error["code"] == "requirements-unresolvable"
    assert error["details"]["line"] == 2 and name in error["details"]["text"]
    assert name in error["message"] + error["details"]["explanation"]


def test_an_impossible_version_is_422_with_the_line(service):
    error = error_of(service.run("pass\n", "# one\n\nidna==99.99\n", exclude_newer=DATE), 422)
    assert error["code"] == "requirements-unresolvable" and error["details"]["line"] == 3


def test_a_package_that_has_only_a_source_distribution_is_built(service):
    answer = service.answer("import docopt\nprint(docopt.__version__)\n", "docopt==0.6.2\n", exclude_newer=DATE)
    assert answer["status"] == "success" and answer["stdout"] == "0.6.2\n", answer
    assert [p["name"] for p in answer["environment"]["packages"]] == ["docopt"]


def test_a_package_without_anything_for_this_platform_is_422(service):
    error = error_of(service.run("pass\n", "pywin32==306\n", exclude_newer=DATE), 422)
    assert error["code"] == "wheel-unavailable" and error["details"]["line"] == 1


def test_a_conflict_is_422_with_the_resolvers_explanation(service):
    error = error_of(service.run("pass\n", "requests==2.31.0\nurllib3==1.20\n", exclude_newer=DATE), 422)
    assert error["code"] == "requirements-unresolvable"
    assert "urllib3" in error["details"]["explanation"] and "requests" in error["details"]["explanation"]


def test_a_package_for_another_python_is_422(service):
    error = error_of(service.run("pass\n", "numpy==1.19.0\n", exclude_newer=DATE), 422)
    assert error["code"] in ("wheel-unavailable", "requirements-unresolvable")


@pytest.mark.parametrize("text", ["cuvette-tests-ask-for-what-is-not-there\n", "pywin32==306\n"])
def test_explanations_name_no_host_and_no_path(service, text):
    error = error_of(service.run("pass\n", text, exclude_newer=DATE), 422)
    whole = str(error)
    assert not re.search(r"https?://|/(var|tmp|home|nix|root|usr)/", whole), whole
    assert str(service.state) not in whole


def test_an_environment_marker_that_excludes_the_line_leaves_it_out(service):
    answer = service.answer("pass\n", "idna==3.7\ncolorama==0.4.6; sys_platform == 'win32'\n", exclude_newer=DATE)
    assert [p["name"] for p in answer["environment"]["packages"]] == ["idna"]


def test_a_wrong_hash_is_refused(service):
    text = "idna==3.7 --hash=sha256:" + "0" * 64 + "\n"
    error = error_of(service.run("pass\n", text, exclude_newer=DATE), 422)
    assert error["code"] in ("hash-mismatch", "requirements-unresolvable")


def test_without_an_index_it_is_503_with_retry_after_and_known_environments_still_run():
    nowhere = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_INDEX_URL": "http://127.0.0.1:9/simple",
               "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    with client.fresh_state() as state, client.Service(state, **nowhere) as lonely:
        begun = time.monotonic()
        response = lonely.run("pass\n", "idna==3.7\n", exclude_newer=DATE)
        assert error_of(response, 503)["code"] == "index-unreachable"
        assert int(response.headers["retry-after"]) >= 1
        assert time.monotonic() - begun < 90
        assert lonely.answer("print('here')\n")["stdout"] == "here\n"
        assert lonely.healthy()


@contextlib.contextmanager
def linking(file, other):
    """Links to a file come and go, hundreds a second."""
    end = threading.Event()

    def go():
        while not end.wait(0.001):
            os.link(file, other)
            other.unlink()

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_the_resolver_knows_an_interpreter_that_is_being_linked():
    """It goes by the file's ctime, which every link changes: so it has a file of its own."""
    with client.fresh_state() as state, client.Service(state) as service:
        [python] = (state / "nix/nix/store").glob("*-worker-image-python311/usr/bin/python3.11")
        with linking(python, state / "linked"):
            assert service.answer("pass\n", "six==1.16.0\n")["success"]
            [own] = (state / "nix/interpreters").iterdir()
            assert own.read_bytes() == python.read_bytes() and own.stat().st_nlink == 1
        # And learns anew of one that has changed.
        os.link(own, state / "linked")
        (state / "linked").unlink()
        assert service.answer("pass\n", "six==1.15.0\n")["success"]
