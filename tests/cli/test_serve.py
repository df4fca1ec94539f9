# SPDX-License-Identifier: MIT
"""`cuvette serve`: configuration, start, stop, and what remains after each end."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import urllib.error
import urllib.request

import pytest

import shell

REFUSED = [
    (("--listen", "127.0.0.1"), "is not ADDR:PORT"),
    (("--port", "65536"), "not a number up to 65535"),
    (("--boxes", "0"), "boxes"),
    (("--drain-timeout", "long"), "drain-timeout"),
    (("--lint-servers", "3"), "lint-servers: 3 is not a number up to 2"),
    (("--builder-memory", "1MiB"), "builder-memory"),
    (("--allow-degraded", "seccomp"), "nothing runs without the layer"),
    (("--allow-degraded", "nonsense"), "there is no layer"),
    (("operand",), "options only"),
    (("--unknown",), "there is no such option"),
    (("--zygote-sharing", "all"), "zygote-sharing: `all` is none of tenant, environment or none"),
    (("--zygotes", "-1"), "zygotes: -1 is not a number"),
    (("--zygote-memory", "1"), "zygote-memory: 1 is not a size"),
    (("--pool", "17"), "pool: 17 is not a number"),
    (("--allowed-origins", "site.example"), "allowed-origins: `site.example` is not a list"),
    (("--prewarm", "2"), "prewarm: 2 is neither 0 nor 1"),
]


def rows(*words, **options) -> dict[str, tuple[str, str]]:
    done = shell.cuvette("serve", "--check", *words, **options)
    assert done.returncode == 0, done.stderr
    table = {}
    for line in done.stdout.split("\n\n")[0].splitlines()[1:]:
        name, value, source = re.split(r"  +", line.strip(), maxsplit=2)
        table[name] = (value, source)
    return table


def test_check_tells_where_values_come_from():
    folder = shell.scratch()
    (folder / ".env").write_text("CUVETTE_LISTEN=127.0.0.1:7001\nexport CUVETTE_BOXES='3'\nAPI_KEY=sesame\nOTHER=x\n")
    found = rows("--drain-timeout", "7", cwd=folder, CUVETTE_BOXES="4", CUVETTE_LOG="/tmp/x")
    assert found["listen"] == ("127.0.0.1:7001", ".env")
    assert found["boxes"] == ("4", "environment")
    assert found["drain-timeout"] == ("7", "command line")
    assert found["log"] == ("/tmp/x", "environment")
    assert found["builder-memory"] == ("4GiB", "default")
    assert found["clients"] == ("-", "not set")
    assert found["zygote-sharing"] == ("tenant", "default") and found["zygotes"] == ("16", "default")
    assert found["zygote-memory"] == ("512MiB", "default") and found["pool"] == ("2", "default")
    assert found["api-key"] == ("(set)", ".env"), "a secret is not shown"
    assert found["state"][1] == "default"


def test_settings_of_another_service_are_warned_of():
    folder = shell.scratch()
    (folder / ".env").write_text("BASE_SESSION_PATH=/srv/sessions\nS3_BUCKET_NAME=\n")
    done = shell.cuvette("serve", "--check", cwd=folder, REDIS_URL="redis://127.0.0.1/0")
    assert done.returncode == 0
    said = [line for line in done.stderr.splitlines() if "has no effect" in line]
    assert [name for name in ("BASE_SESSION_PATH", "REDIS_URL", "S3_BUCKET_NAME") if name in "".join(said)] == [
        "BASE_SESSION_PATH", "REDIS_URL"], done.stderr
    assert "127.0.0.1/0" not in done.stderr, "it may hold a password"


def test_zygotes_can_be_set_by_the_environment():
    given = {"ZYGOTE_SHARING": "none", "ZYGOTES": "3", "ZYGOTE_MEMORY": "1GiB", "ZYGOTE_RUNS": "7", "ZYGOTE_AGE": "60",
             "POOL": "0"}
    found = rows(**given)
    assert {name: found[name.lower().replace("_", "-")] for name in given} == \
        {name: (value, "environment") for name, value in given.items()}


@pytest.mark.parametrize("words, environment, port", [
    ((), {}, 8000),
    ((), {"PORT": "81"}, 81),
    (("--listen", "127.0.0.1:82"), {"PORT": "81"}, 82),
    ((), {"PORT": "81", "CUVETTE_LISTEN": "127.0.0.1:82"}, 81),
    (("--port", "83"), {"PORT": "81", "CUVETTE_LISTEN": "127.0.0.1:82"}, 83),
])
def test_the_later_source_tells_the_port(words, environment, port):
    done = shell.cuvette("serve", "--check", *words, **environment)
    assert f"listens on http://127.0.0.1:{port}," in done.stdout


@pytest.mark.parametrize("words, said", REFUSED)
def test_refused_settings(words, said):
    done = shell.cuvette("serve", *words)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""


def test_help_and_version():
    for words in ([], ["serve"], ["run"], ["doctor"], ["status"], ["env"], ["env", "show"]):
        done = shell.cuvette(*words, "--help")
        assert done.returncode == 0 and done.stdout.startswith("Usage: cuvette") and done.stderr == ""
    assert shell.cuvette("--version").stdout == f"cuvette {(shell.ROOT / 'VERSION').read_text()}"
    assert shell.cuvette("no-such-command").returncode == 2
    assert shell.cuvette().returncode == 2


def test_full_disk_is_told():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([shell.CUVETTE, "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and b"can't write the output" in done.stderr


def test_status_and_second_service(state):
    assert shell.cuvette("status", "--state", state).stdout == "no service runs here\n"
    with shell.service(state) as running:
        found = shell.cuvette("status", "--state", state)
        assert found.returncode == 0 and found.stdout == f"{running.url}\n"
        second = shell.cuvette("serve", "--state", state, "--listen", "127.0.0.1:0")
        assert second.returncode == 1 and second.stdout == ""
        assert f"process {running.pid}, {running.url}" in second.stderr
        with urllib.request.urlopen(f"{running.url}/health") as health:
            assert json.load(health)["status"] == "healthy"
    assert shell.cuvette("status", "--state", state).returncode == 1
    assert shell.cuvette("status", "--state", "/nonexistent").returncode == 1


def test_children_have_only_their_own(state):
    """Nothing of ours in the children: no lock, no terminal, no environment."""
    with shell.service(state, API_KEY="a-secret-key", SOME_SECRET="hunter2") as running:
        names = shell.children(running)
        assert {"cuvette-launcher", "cuvette-builder", "cuvette-manager"} <= set(names.values())
        for pid, name in names.items():
            if not os.access(f"/proc/{pid}/fd", os.R_OK):
                continue  # of processes that hide themselves only root sees them
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it, or what it had open, is gone meanwhile
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    assert "serve.lock" not in os.readlink(f"/proc/{pid}/fd/{fd}"), f"{name} holds the lock"
        environment = {name: pathlib.Path(f"/proc/{shell.child(running, name)}/environ").read_bytes()
                       for name in ("cuvette-launcher", "cuvette-manager", "cuvette-builder")
                       if os.access(f"/proc/{shell.child(running, name)}/environ", os.R_OK)}
        assert len(environment) == 3 or os.geteuid() != 0
        environment = {"cuvette-launcher": b"", "cuvette-manager": b"", "cuvette-builder": b"", **environment}
        assert b"hunter2" not in environment["cuvette-launcher"] + environment["cuvette-manager"]
        assert b"a-secret-key" not in environment["cuvette-launcher"] + environment["cuvette-builder"]
        with open(f"/proc/{running.pid}/cmdline", "rb") as line:
            assert b"a-secret-key" not in line.read()


def test_modes_of_the_state_folder(state):
    with shell.service(state):
        run = state / "run"
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        for name in ("launcher.sock", "builder.sock", "serve.lock"):
            assert stat.S_IMODE((run / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["launcher", "builder", "manager"])
def test_a_child_that_dies_is_started_again(state, name):
    with shell.service(state) as running:
        first = shell.child(running, f"cuvette-{name}")
        os.kill(first, signal.SIGKILL)
        shell.wait_until(lambda: f"the {name} is ready again" in running.log.read_text(), 30, "it is started again")
        assert f"cuvette: the {name} ended unexpectedly (signal 9 (Killed))" in running.log.read_text()
        assert shell.child(running, f"cuvette-{name}") != first
        done = shell.cuvette("run", "--state", state, shell.program("print('works')"))
        assert done.returncode == 0 and done.stdout == "works\n", done.stderr
        assert shell.cuvette("status", "--state", state).stdout == f"{running.url}\n", "at the same address"


def test_killed_it_leaves_nothing_that_runs(state):
    with shell.service(state) as running:
        mark = shell.client.new_mark()
        main = shell.program(shell.client.marked(mark, "import time; print('on', flush=True); time.sleep(300)"))
        client = shell.start("run", "--state", state, "--timeout", "100", main)
        assert client.stdout.readline() == b"on\n"
        all_of_them = list(shell.children(running))
        assert bool(shell.cgroups_of(running.pid)) == shell.makes_cgroups(), "there is something to clear"
        running.kill()
        running.wait()
        shell.wait_until(lambda: not shell.alive(all_of_them), 5, "its processes are gone")
        assert client.wait(timeout=shell.SECONDS) == 3, "the run's client is told"
        client.communicate()
        shell.wait_until(lambda: not shell.client.processes_with(mark), 5, "the box is gone")
    assert shell.cuvette("status", "--state", state).stdout == "no service runs here\n"
    with shell.service(state):
        pass
    assert not shell.cgroups_of(running.pid), "what was left, the next start has cleared"


def posting(running, mark: str, code: str) -> subprocess.Popen:
    """A request under way, its program running (or already done)."""
    main = shell.program(shell.client.marked(mark, code))
    curl = subprocess.Popen(["curl", "-sS", "--noproxy", "*", "-F", f"code=@{main}", "-F", "timeout=100", "-F",
                             "requirements=#;filename=r.txt", f"{running.url}/api/v1/run"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    shell.wait_until(lambda: shell.client.processes_with(mark) or curl.poll() is not None, 30, "it runs")
    return curl


def test_sigterm_lets_requests_finish(state):
    with shell.service(state) as running:
        code = "import time; print('on', flush=True); time.sleep(3); print('done')"
        client = shell.start("run", "--state", state, shell.program(code))
        assert client.stdout.readline() == b"on\n"
        curl = posting(running, shell.client.new_mark(), code)
        running.send_signal(signal.SIGTERM)
        answer = json.loads(curl.communicate(timeout=shell.SECONDS)[0])
        assert answer["stdout"] == "on\ndone\n", answer
        assert running.wait(timeout=shell.SECONDS) == 0
        client.communicate()


def is_draining(running) -> bool:
    try:
        health = urllib.request.urlopen(f"{running.url}/health")
    except urllib.error.HTTPError as unhealthy:  # 503
        health = unhealthy
    with health:
        return json.load(health)["draining"]


def test_a_second_signal_does_not_wait(state):
    with shell.service(state, "--drain-timeout", "600") as running:
        curl = posting(running, shell.client.new_mark(), "import time; time.sleep(99)")
        running.send_signal(signal.SIGTERM)
        shell.wait_until(lambda: is_draining(running), 30, "it has heard the first")
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=shell.SECONDS) == 0
        curl.communicate(timeout=shell.SECONDS)


def test_port_in_use(state):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = shell.cuvette("serve", "--state", state, "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 1 and done.stdout == ""
    assert str(port) in done.stderr and "in use" in done.stderr.lower(), done.stderr


def test_a_state_folder_without_a_store():
    folder = shell.scratch() / "s"
    done = shell.cuvette("serve", "--state", folder, "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and "make store" in done.stderr, done.stderr


@pytest.mark.parametrize("path, said", [
    ("/tmp/with blank/s", "letters, digits"),
    ("/tmp/" + "x" * 100, "longer than"),
    ("/proc/nothing/here", "can't be made"),
])
def test_places_that_are_no_state_folder(path, said):
    done = shell.cuvette("serve", "--state", path, "--listen", "127.0.0.1:0")
    for made in ("/tmp/with blank", "/tmp/" + "x" * 100):
        shutil.rmtree(made, ignore_errors=True)
    assert done.returncode == 1 and said in done.stderr, done.stderr


def test_folders_that_others_could_change():
    folder = shell.scratch()
    folder.chmod(0o777)
    done = shell.cuvette("serve", "--state", folder, "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and "can be written to by others" in done.stderr
    if os.geteuid() == 0:
        folder.chmod(0o700)
        done = shell.cuvette("serve", "--state", folder, "--listen", "127.0.0.1:0")
        assert done.returncode == 1 and "can't enter" in done.stderr
        folder.chmod(0o755)
        os.chown(folder, 12345, 12345)
        done = shell.cuvette("serve", "--state", folder, "--listen", "127.0.0.1:0")
        assert done.returncode == 1 and "belongs to uid 12345" in done.stderr


def test_programs_that_are_not_there(state):
    """`cuvette` alone, and beside programs that fail in the ways programs fail."""
    folder = shell.scratch()
    shutil.copy(shell.CUVETTE, folder / "cuvette")

    def serve():
        return subprocess.run([folder / "cuvette", "serve", "--state", state, "--listen",
                               "127.0.0.1:0"], capture_output=True, text=True, timeout=shell.SECONDS, check=False,
                              stdin=subprocess.DEVNULL, env=shell.clean_environment())

    done = serve()
    assert done.returncode == 1 and "cuvette-launcher can't be executed" in done.stderr
    for script, said in [("exit 5", "the launcher ended before it was ready: exit status 5"),
                         ("kill -9 $$", "the launcher ended before it was ready: signal 9 (Killed)"),
                         ("exec 3>&-; exec sleep 20", "the launcher ended before it was ready")]:
        for name in ("cuvette-launcher", "cuvette-builder"):
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        done = serve()
        assert done.returncode == 1 and said in done.stderr, done.stderr
    (folder / "cuvette-launcher").write_text("no program at all")
    done = serve()
    assert done.returncode == 1 and "can't be started" in done.stderr, done.stderr
