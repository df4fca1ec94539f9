# SPDX-License-Identifier: MIT
# tests/run: seconds=900
"""Environments by the real builder, from the real index, in real stores."""
import json
import os
import re
import subprocess

import pytest
from helpers import (ANSWER_S, ask, clean_state, command, environment, environment_of, failure_of, nix, owner,
                     physical, suite_state)

REQUESTS = "requests==2.31.0\n"


def nar_hashes(state, answer):
    paths = [f"/nix/store/{name}" for name in answer["closure"]]
    return dict(zip(answer["closure"], nix(state, "nix-store", "--query", "--hash", *paths).split()))


def test_two_clean_stores_agree():
    seen = []
    for _ in range(2):
        with clean_state() as state:
            answer = environment_of(state, REQUESTS)
            assert not answer["cached"]
            seen.append((answer["digest"], answer["lock_digest"], nar_hashes(state, answer)))
            nix(state, "nix-store", "--verify", "--check-contents")
    assert seen[0] == seen[1]
    assert len(seen[0][2]) == 6


def test_answer_and_manifest():
    state = suite_state()
    answer = environment_of(state, "# what we need\r\nrequests == 2.31.0 ; python_version > '3'\r\n")
    assert answer["digest"] == answer["env"][:32]
    assert answer["packages"][3] == "requests 2.31.0"
    assert answer["closure"][0] == answer["env"] and len(answer["closure"]) == 6
    assert answer["image"] not in answer["closure"]
    folder = physical(state, answer["env"])
    manifest = json.loads((folder / "cuvette.json").read_text())
    assert manifest["closure"] == answer["closure"] and manifest["image"] == answer["image"]
    assert manifest["python"] == answer["python"] and manifest["clashes"] == []
    assert (folder / "bin/python").readlink().as_posix() == "/usr/bin/python3.11"
    assert (folder / "bin/idna").read_text().startswith(f"#!/nix/store/{answer['env']}/bin/python\n")
    digest = answer["lock_digest"].removeprefix("sha256:")
    complete = json.loads((state / "nix/locks" / f"{digest}.json").read_text())
    assert all(package["size"] > 0 and package["url"] for package in complete["packages"])
    for package in complete["packages"]:
        del package["size"], package["url"], package["requires"]
    assert complete == manifest["lock"]


def test_same_lock_other_words():
    """A file that comes to a known lock is linked, not built."""
    state = suite_state()
    first = environment_of(state, REQUESTS)
    other = environment_of(state, "requests~=2.31.0\nurllib3>=1\n")
    assert other["digest"] == first["digest"]
    assert other["cached"] or other["build_ms"] < 50


def test_empty_requirements_are_an_environment():
    state = suite_state()
    answer = environment_of(state, "# nothing\n")
    assert answer["packages"] == [] and answer["closure"] == [answer["env"]]


def test_the_date_decides():
    state = suite_state()
    old = environment_of(state, "idna\n", "--exclude-newer", "2023-01-01")
    new = environment_of(state, "idna\n")
    assert old["packages"] == ["idna 3.4"] and old["digest"] != new["digest"]
    assert old["exclude_s"] == 1672531200


def test_listed_hash_chooses_the_wheel():
    good = "90b77e79eaa3eba6de819a0c442c0b4ceefc341a7a2ab77d7562bf49f425c5c2"
    answer = environment_of(suite_state(), f"idna==3.4 --hash=sha256:{good} --hash=sha256:{'0' * 64}\n")
    assert answer["packages"] == ["idna 3.4"]


FAILURES = {
    "unknown package": ("idna\nno-such-package-cuvette-xyz\n", "requirements-unresolvable", 2,
                        "no package `no-such-package-cuvette-xyz`"),
    "impossible version": ("idna\nrequests==99.1\n", "requirements-unresolvable", 2, "no version `requests==99.1`"),
    "conflict in a line": ("requests>=2,<1\n", "requirements-unresolvable", 1, "no set of versions"),
    "conflict of two": ("botocore==1.29.0\nurllib3>=2.5\n", "requirements-unresolvable", 1, "no set of versions"),
    "only an sdist": ("docopt\n", "wheel-unavailable", 1, "`docopt` has no wheel"),
    "other Pythons": ("idna\ntensorflow==1.15\n", "wheel-unavailable", 2, "`tensorflow` has no wheel"),
    "other platforms": ("pywin32\n", "wheel-unavailable", 1, "`pywin32` has no wheel"),
    "other hash": (f"idna==3.4 --hash=sha256:{'0' * 64}\n", "hash-mismatch", 1, "listed hashes"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_typed(name):
    text, code, line, message = FAILURES[name]
    failure = failure_of(suite_state(), text)
    assert (failure["code"], failure["line"]) == (code, line), failure
    assert message in failure["message"] and failure["excerpt"]
    said = failure["message"] + failure["explanation"]
    assert "://" not in said and "/lock/" not in said and str(suite_state()) not in said
    assert "--no-build" not in said and "exclude-newer" not in said


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/simple", "http://no-such-host.invalid/simple"])
def test_unreachable_index(address):
    failure = failure_of(suite_state(), "idna==3.3\n", env={"UV_DEFAULT_INDEX": address})
    assert failure["code"] == "index-unreachable" and failure["status"] == 503
    assert failure["retry_after"] > 0
    assert "127.0.0.1" not in json.dumps(failure) and "no-such-host" not in json.dumps(failure)


def test_slow_resolver_and_build():
    failure = failure_of(suite_state(), "flask\n", "--resolve-ms", "20", "--exclude-newer", "2026-10-03")
    assert failure["code"] == "resolve-timeout"
    with clean_state() as state:
        failure = failure_of(state, "numpy==2.3.0\n", "--build-ms", "30")
        assert failure["code"] == "build-timeout"
        assert list((state / "nix/tmp").iterdir()) == []


def test_failures_are_remembered_for_a_while():
    answers = ask(suite_state(), "no-such-package-cuvette-abc\n", "--repeat", "3")
    assert {a["failure"]["code"] for a in answers} == {"requirements-unresolvable"}
    assert answers[1]["ask_us"] < answers[0]["ask_us"] / 20
    assert answers[1]["failure"] == answers[0]["failure"]


def test_other_python_is_refused():
    assert failure_of(suite_state(), "idna\n", "--python", "3.12")["code"] == "field-invalid"


def test_store_without_image():
    """Says what is missing and what to do."""
    with clean_state() as state:
        (state / "nix/nix/var/nix/gcroots/cuvette/uv").unlink()
        [answer] = ask(state, "idna\n", "--tools")
        assert answer["failure"]["code"] == "unavailable"
        assert "uv" in answer["failure"]["message"] and "make store" in answer["failure"]["message"]


def test_tools_name_the_zygote_that_the_store_has():
    """As the link says when it is asked; a store without one serves all the same."""
    with clean_state() as state:
        link = state / "nix/nix/var/nix/gcroots/cuvette/zygote"
        target = os.readlink(link)
        [answer] = ask(state, "", "--tools")
        assert answer["zygote"] == target.removeprefix("/nix/store/")
        link.unlink()
        [answer] = ask(state, "", "--tools")
        assert answer["zygote"] == "" and answer["uv"]


def test_progress_is_told():
    with clean_state() as state:
        _, log = ask(state, REQUESTS, log=True)
        steps = re.findall(r"^(resolving|downloading|building|ready) (\d+)/(\d+) (\d+)/(\d+) (\S+) (\d+)/(\d+)$",
                           log, re.M)
        phases = [s[0] for n, s in enumerate(steps) if n == 0 or steps[n - 1][0] != s[0]]
        assert phases == ["resolving", "downloading", "building", "ready"]
        assert steps[-1] == ("ready", "5", "5", "0", "0", "-", "0", "0")
        whole = {s[5]: int(s[7]) for s in steps if s[0] == "downloading" and s[6] == s[7] != "0"}
        assert len(whole) == 5 and all(name.endswith(".whl") for name in whole), "each file is told of when it is whole"
        assert ("downloading", "5", "5") in [s[:3] for s in steps]
        assert ("building", "6", "6") in [s[:3] for s in steps]
        last = [s for s in steps if s[0] == "downloading"][-1]
        assert int(last[3]) == int(last[4]) == sum(whole.values()) > 500_000
        assert any(s[0] == "building" and s[5] in whole for s in steps)


def test_a_lost_wheel_is_fetched_again():
    """Nix's knowledge and ours may part ways (a collected store): one failure, then it heals."""
    with clean_state() as state:
        first = environment_of(state, "idna==3.4\n")
        (state / "nix/nix/var/nix/gcroots/cuvette/env" / first["env"]).unlink()
        for link in (state / "nix/nix/var/nix/gcroots/cuvette/req").iterdir():
            link.unlink()
        nix(state, "nix-store", "--gc")
        assert not physical(state, first["env"]).exists()
        again = environment_of(state, "idna==3.4\n")
        assert again["digest"] == first["digest"] and not again["cached"]


def test_environment_path_in_use_is_not_trusted_without_its_link():
    """A folder at the right place that Nix never finished is not an environment."""
    with clean_state() as state:
        known = environment_of(suite_state(), "idna==3.4\n")
        fake = physical(state, known["env"])
        fake.mkdir()
        (fake / "cuvette.json").write_text("{}")
        subprocess.run(["chown", "-R", str(owner(state)), str(fake)], check=True)
        answer = environment_of(state, "idna==3.4\n")
        assert answer["digest"] == known["digest"] and (fake / "bin/python").is_symlink()


def test_many_answers_from_one_builder():
    done = subprocess.run(command(suite_state(), REQUESTS, "--parallel", "100", "--repeat", "3", "--quiet"),
                          capture_output=True, text=True, timeout=ANSWER_S, env=environment(), check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 300 and len({a["digest"] for a in answers}) == 1
