# SPDX-License-Identifier: MIT
"""`cuvette env`: the store's environments, with a service on the state folder and without."""

import json
import os
import pty
import re
import signal
import subprocess

import pytest

import shell

REQUESTS, IDNA, SIX = "requests==2.31.0\n", "idna==3.7\n", "six==1.16.0\n"
UNKNOWN = "0" * 32


@pytest.fixture(scope="module", params=["alone", "served"], name="env")
def both_ways(request, folder):
    """`cuvette env`, as a function; the builder is our own, or a service's."""
    def env(*words, status=0, **options):
        done = shell.cuvette("env", words[0], "--state", folder, *words[1:], **options)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    env.kind, env.folder = request.param, folder
    if request.param == "alone":
        yield env
    else:
        with shell.service(folder, "--zygotes", "0", "--env-count", "7") as running:
            env.service = running
            yield env


def built(env, text, *words):
    return env("build", "-r", shell.requirements(text), "--exclude-newer", shell.DATE, *words).stdout.strip()


def listed(env):
    return json.loads(env("list", "--json").stdout)


def test_build_list_show(env):
    digest = built(env, IDNA)
    done = env("build", "-r", shell.requirements(IDNA), "--exclude-newer", shell.DATE, "--json")
    answer = json.loads(done.stdout)
    assert answer["digest"] == digest and answer["cached"] and answer["packages"] == ["idna 3.7"]
    [row] = [e for e in listed(env)["environments"] if e["digest"] == digest]
    assert row["packages"] == 1 and row["uses"] >= 1 and not row["pinned"]
    text = env("list").stdout
    assert digest in text and "environment" in text.splitlines()[-1]
    assert "idna 3.7" in env("show", digest).stdout
    assert json.loads(env("show", digest, "--json").stdout)["built"] == []  # options after it, too
    assert "one environment at a time" in env("show", digest, digest, status=2).stderr
    assert listed(env)["budget_count"] == (7 if env.kind == "served" else 0)


def test_progress_is_lines_where_there_is_no_terminal(env):
    env("gc", "--env-count", "0")
    done = env("build", "-r", shell.requirements(SIX), "--exclude-newer", shell.DATE)
    lines = done.stderr.splitlines()
    assert "\r" not in done.stderr
    assert lines[0] == "resolving…" and lines[-2:] == ["building 2", "ready"]
    assert lines[1:-2] in ([], ["downloading 1", "  1/1 six-1.16.0-py2.py3-none-any.whl 0.0 MB"])
    env("gc", "--env-count", "0")
    done = env("build", "-r", shell.requirements(SIX), "--exclude-newer", shell.DATE, "--quiet")
    assert done.stderr == ""


def test_pin_and_unpin(env):
    digest = built(env, IDNA, "--pin")
    assert [e["pinned"] for e in listed(env)["environments"] if e["digest"] == digest] == [True]
    assert "1 would have gone but is pinned" in env("gc", "--env-count", "0").stdout
    assert [e["digest"] for e in listed(env)["environments"]] == [digest]
    env("unpin", digest)
    assert json.loads(env("gc", "--env-count", "0", "--json").stdout)["evicted"] == 1
    assert listed(env)["environments"] == []
    assert "no environment" in env("pin", digest, status=1).stderr


def test_diff(env):
    a, b = built(env, REQUESTS), built(env, IDNA + "certifi==2024.2.2\nsix==1.16.0\n")
    lines = env("diff", a, b, status=1).stdout.splitlines()
    assert "- requests 2.31.0" in lines and "+ six 1.16.0" in lines and any(x.startswith("~ certifi ") for x in lines)
    answer = json.loads(env("diff", "--json", a, b, status=1).stdout)
    assert {"name": "six", "version": "1.16.0"} in answer["added"]
    assert {c["name"] for c in answer["changed"]} >= {"certifi"}
    assert env("diff", a, a).stdout == ""
    assert "holds no environment" in env("diff", a, UNKNOWN, status=1).stderr


def test_who_asked_for_what(env):
    file = shell.requirements("Requests[socks]==2.31.0\nsix==1.16.0\n")
    words = ("build", "-r", file, "--exclude-newer", shell.DATE)
    digest, *lines = env(*words, "--explain").stdout.splitlines()
    told = {line.split()[0]: line.split("  ", 1)[1] for line in lines}
    assert told["requests"].endswith(".txt:1") and told["six"].endswith(".txt:2")
    assert told["certifi"] == "requests" and told["pysocks"] == "requests[socks]"
    by = {p["name"]: p["required_by"] for p in json.loads(env(*words, "--json").stdout)["explain"]["packages"]}
    assert by["requests"] == [] and by["urllib3"] == ["requests"] and by["pysocks"] == ["requests[socks]"]
    assert "required by" not in env("show", digest).stdout
    shown = [" ".join(line.split()).removeprefix("required by ") for line in env("show", "--explain", digest).stdout.splitlines()]
    assert "certifi: requests" in shown and "six: nothing here" in shown
    assert any(line.startswith("pysocks: requests[socks]") for line in shown), "which extras were asked for is not told"
    assert json.loads(env("show", "--explain", "--json", digest).stdout)["required_by"]["idna"] == ["requests"]


def test_lock(env):
    digest = built(env, IDNA)
    by_digest = env("lock", digest).stdout
    assert 'name = "idna"' in by_digest and by_digest.startswith("lock-version")
    assert env("lock", "-r", shell.requirements(IDNA), "--exclude-newer", shell.DATE).stdout == by_digest
    assert "no environment" in env("lock", UNKNOWN, status=1).stderr


def test_build_of_a_lock(env, tmp_path):
    digest = built(env, REQUESTS)
    lock = tmp_path / "pylock.toml"
    lock.write_text(env("lock", digest).stdout)
    assert env("build", "--lock", lock).stdout.strip() == digest
    answer = json.loads(env("build", "--lock", lock, "--json").stdout)
    assert answer["store_path"] == f"/nix/store/{digest}-cuvette-environment"
    assert answer["explain"] is None and answer["exclude_newer"] is None
    file = shell.requirements(IDNA)
    assert "takes the place of -r" in env("build", "--lock", lock, "-r", file, status=2).stderr
    assert "for a --lock" in env("build", "-r", file, "--extra", "socks", status=2).stderr
    lock.write_text("packages = 1\n")
    assert "lock-invalid" in env("build", "--lock", lock, status=2).stderr


def test_lock_makes_no_environment(env):
    env("gc", "--env-count", "0")
    text = shell.requirements("sniffio==1.3.1\n")
    locked = env("lock", "-r", text, "--exclude-newer", shell.DATE).stdout
    assert 'name = "sniffio"' in locked and listed(env)["environments"] == []
    digest = built(env, "sniffio==1.3.1\n")
    # What was installed has sizes, and says what each package asks for.
    hashes = re.compile("sha256 = .*?[0-9a-f]{64}")
    assert hashes.findall(env("lock", digest).stdout) == hashes.findall(locked)


def test_wrong_words(env):
    for words in (("show",), ("show", "x"), ("pin",), ("pin", "../../x"), ("diff", UNKNOWN), ("gc", UNKNOWN),
                  ("gc", "--env-bytes", "much"), ("gc", "--env-count", "-1"), ("lock",), ("list", UNKNOWN),
                  ("build", "--exclude-newer", "tomorrow"), ("build", UNKNOWN)):
        assert env(*words, status=2).stderr.startswith("cuvette: "), words
    done = env("build", "-r", shell.requirements("idna==\n"), status=2)
    assert "1:" in done.stderr and "requirement-invalid" in done.stderr
    assert shell.cuvette("env", "frob").returncode == 2 and "Usage" in shell.cuvette("env", "--help").stdout
    assert shell.cuvette("env").returncode == 2
    done = env("build", "-r", shell.requirements("no-such-package-cuvette==1\n"), "--exclude-newer", shell.DATE, status=2)
    assert "requirements-unresolvable" in done.stderr


def test_ctrl_c_ends_a_build(env):
    for _ in range(10):  # where we are slow, it is done before it is told to end
        env("gc", "--env-count", "0")
        building = shell.start("env", "build", "--state", env.folder, "-r", shell.requirements(REQUESTS),
                               "--exclude-newer", shell.DATE)
        assert building.stderr.readline() == "resolving…\n".encode()
        building.send_signal(signal.SIGINT)
        building.communicate(timeout=shell.SECONDS)
        if building.returncode != 0:
            break
    assert building.returncode == -signal.SIGINT
    shell.wait_until(lambda: not list((env.folder / "nix/tmp").glob("*/work-*")), 10, "the build is gone")
    assert built(env, REQUESTS)


def test_a_bar_on_a_terminal(folder):
    ours, theirs = pty.openpty()
    shell.cuvette("env", "gc", "--state", folder, "--env-count", "0")
    building = shell.start("env", "build", "--state", folder, "-r", shell.requirements(SIX), "--exclude-newer",
                           shell.DATE, stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
    assert building.wait() == 0
    os.close(ours)
    assert "\r\x1b[Kresolving…" in shown.decode() and shown.endswith(b"\r\x1b[K"), shown


def test_verify_builds_again_what_is_damaged(folder):
    def env(*words, status=0):
        done = shell.cuvette("env", words[0], "--state", folder, *words[1:])
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    digest = env("build", "-r", shell.requirements(SIX), "--exclude-newer", shell.DATE).strip()
    [file] = (folder / "nix/nix/store").glob("*-six-1.16.0/lib/python3.11/site-packages/six.py")
    whole = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(whole + b"# one line more\n")
    out = env("verify", digest)
    assert f"repaired   {digest}" in out and out.splitlines()[-1].endswith(" 1 damaged")
    assert file.read_bytes() == whole
    assert env("verify").splitlines()[-1].endswith(" 0 damaged")
    env("verify", UNKNOWN, status=1)
