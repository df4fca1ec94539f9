# SPDX-License-Identifier: MIT
"""All of it as an ordinary user without subordinate ids, with a state folder of
their own; layers that this host does not give them have to be allowed."""

import contextlib
import json
import os
import subprocess

import pytest

import shell


@pytest.fixture(scope="module")
def flags(user):
    return ["--state", user.state] + (["--allow-degraded", user.allowed] if user.allowed else [])


def test_serve_refuses_what_was_not_allowed(user):
    if not user.allowed:  # a host that gives an ordinary user every layer: nothing to refuse
        with shell.service(user.state, who=user) as running:
            assert running.poll() is None
        return
    done = shell.cuvette("serve", "--state", user.state, "--listen", "127.0.0.1:0", who=user)
    assert done.returncode == 1 and f"--allow-degraded {user.allowed}" in done.stderr, done.stderr
    assert done.stdout == ""


def test_doctor_says_what_to_do(user):
    done = shell.cuvette("doctor", "--state", user.state, who=user)
    assert done.returncode == (1 if user.allowed else 0)
    for layer in filter(None, user.allowed.split(",")):
        assert any(line.split()[:2] == ["degraded", layer] for line in done.stdout.splitlines()), done.stdout
    done = shell.cuvette("doctor", "--state", user.state, "--allow-degraded", user.allowed, who=user)
    assert done.returncode == 0, done.stdout


def test_run_by_itself(user, flags):
    hello = ("-r", shell.HELLO / "requirements.txt", "--exclude-newer", shell.DATE, shell.HELLO / "main.py")
    done = shell.cuvette("run", *flags, *hello, "x", who=user)
    assert done.returncode == 0 and "hello from requests 2.31.0" in done.stdout, done.stderr
    assert "user 1000, folder /box, arguments ['x']" in done.stdout


def test_artifacts_come_back(user, flags):
    main = shell.program("import os; open('a.out', 'w').write('made'); os.chmod('a.out', 0o600); os.symlink('/', 'b.out')")
    seen = set()
    with shell.service(user.state, *flags[2:], who=user):
        for _ in range(60):
            done = shell.cuvette("run", "--state", user.state, "--json", "--artifact", "*.out", main, who=user)
            answer = json.loads(done.stdout)
            assert [a["name"] for a in answer["artifacts"]] == ["a.out"], answer["artifacts_left_out"]
            assert [a["reason"] for a in answer["artifacts_left_out"]] == ["not-a-file"]
            seen.add(answer["path"])
            if seen >= {"cold", "pool"}:
                break
    assert "cold" in seen


def test_serve_and_run(user, flags):
    with shell.service(user.state, *flags[2:], who=user) as running:
        assert set(shell.children(running).values()) >= {"cuvette-launcher", "cuvette-builder", "cuvette-manager"}
        for pid in shell.children(running):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that has ended meanwhile
                with open(f"/proc/{pid}/status", encoding="ascii") as status:
                    uids = next(line for line in status if line.startswith("Uid:")).split()[1:]
                assert set(uids) == {str(user.uid)}
        main = shell.program("import sys; print(sys.stdin.read(), end=''); sys.exit(9)")
        done = shell.cuvette("run", "--state", user.state, main, who=user, input=b"hello")
        assert (done.returncode, done.stdout) == (9, "hello"), done.stderr
        assert shell.cuvette("status", "--state", user.state).stdout == f"{running.url}\n", "root sees it"
        stranger = shell.User(uid=user.uid + 1, home="/nonexistent")
        assert shell.cuvette("status", "--state", user.state, who=stranger).returncode == 3
        for who in (stranger, shell.ME):
            done = shell.cuvette("run", "--state", user.state, main, who=who)
            assert done.returncode == 3 and f"belongs to uid {user.uid}" in done.stderr


def test_root_does_not_serve_from_it(user):
    done = shell.cuvette("serve", "--state", user.state, "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and f"belongs to uid {user.uid}" in done.stderr


def test_deps_without_a_way_to_install(user):
    """Packages that are missing, an ordinary user, no sudo: the line, and an end."""
    folder = shell.scratch()
    for name in ("tools", "bin"):
        (folder / name).mkdir()
    for name in ("deps", "packages.txt"):
        (folder / "tools" / name).write_bytes((shell.ROOT / "tools" / name).read_bytes())
    (folder / "tools/deps").chmod(0o755)
    with open(folder / "tools/packages.txt", "a", encoding="ascii") as file:
        file.write("run no-such-package-of-debian\n")
    # apt-get and sudo of this machine must not be reached, whatever happens.
    for name in ("sh", "sed", "dpkg-query", "dirname", "id", "fold"):
        os.symlink(f"/usr/bin/{name}", folder / "bin" / name)
    (folder / "bin/apt-get").write_text("#!/bin/sh\necho apt-get was called\nexit 1\n")
    (folder / "bin/apt-get").chmod(0o755)
    done = subprocess.run([*user.words(), "/usr/bin/env", f"PATH={folder}/bin", folder / "tools/deps"],
                          capture_output=True, text=True, timeout=shell.SECONDS, check=False, stdin=subprocess.DEVNULL)
    if "Debian 12 only" in done.stderr:
        assert "no-such-package-of-debian" in done.stderr
        return
    assert done.returncode == 1 and "apt-get was called" not in done.stdout
    assert "apt-get install -y --no-install-recommends no-such-package-of-debian\n" in done.stderr
