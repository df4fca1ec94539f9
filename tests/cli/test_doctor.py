# SPDX-License-Identifier: MIT
"""`cuvette doctor`: what it finds, what it says to do, and its exit status."""

import json
import os
import pathlib
import subprocess

import shell

LAYERS = ["namespaces", "root", "proc", "privileges", "seccomp", "uid-separation", "cgroup-memory", "cgroup-pids",
          "cgroup-cpu", "landlock"]


def findings(*words, **options) -> tuple[int, dict[str, dict]]:
    done = shell.cuvette("doctor", "--json", *words, **options)
    assert done.stderr == "", done.stderr
    found = json.loads(done.stdout)
    assert len({item["name"] for item in found}) == len(found), "each name once"
    return done.returncode, {item["name"]: item for item in found}


def test_all_that_there_is(state):
    allowed = shell.cuvette("doctor", "--lacking", "--state", state).stdout.strip()
    status, found = findings("--state", state, "--allow-degraded", allowed)
    assert [name for name in found if found[name]["group"] == "layers"] == LAYERS
    for name in ("kernel", "nix", "user-namespaces", "subordinate-ids", "cgroups", "kernel-landlock", "kernel-seccomp", "folder",
                 "image", "uv", "ruff", "zygote"):
        assert name in found, f"nothing is said of {name}"
    assert status == 0, [item for item in found.values() if item["needed"]]
    assert found["image"]["text"].startswith("3.11.") and "/nix/store/" in found["image"]["text"]


def test_text_and_json_say_the_same(state):
    allowed = shell.cuvette("doctor", "--lacking", "--state", state).stdout.strip()
    text = shell.cuvette("doctor", "--state", state, "--allow-degraded", allowed).stdout
    _, found = findings("--state", state, "--allow-degraded", allowed)
    for name, item in found.items():
        assert any(line.split()[:2] == [item["state"].replace("info", "-"), name] for line in text.splitlines()), name


def test_asks_a_running_service(state):
    with shell.service(state) as running:
        status, found = findings("--state", state)
        assert running.url in found["running"]["text"]
        assert [name for name in found if found[name]["group"] == "layers"] == LAYERS
        assert status == 0
        assert not [p for p in shell.children(running).values() if p == "cuvette"]


def test_without_a_store():
    folder = shell.scratch() / "nothing"
    status, found = findings("--state", folder)
    assert status == 1 and found["folder"]["state"] == "missing" and "make store" in found["folder"]["do"]
    assert found["namespaces"]["state"] == "ok", "layers are told all the same"
    assert not folder.exists(), "a look makes nothing"


def test_a_tool_that_is_missing(state):
    folder = shell.scratch() / "s"
    shell.states.copy(shell.client.base_state(), folder)
    (folder / "nix/nix/var/nix/gcroots/cuvette/ruff").unlink()
    done = shell.cuvette("doctor", "--state", folder)
    shell.states.remove(folder)
    assert done.returncode == 1 and "ruff" in done.stdout and "make store" in done.stdout, done.stdout + done.stderr


def test_a_zygote_that_is_missing_is_told_and_no_fault(state):
    _, found = findings("--state", state)
    link = "nix/nix/var/nix/gcroots/cuvette/zygote"
    assert found["zygote"]["state"] == "ok" and found["zygote"]["text"] == os.readlink(state / link)
    folder = shell.scratch() / "s"
    shell.states.copy(shell.client.base_state(), folder)
    (folder / link).unlink()
    status, found = findings("--state", folder)
    shell.states.remove(folder)
    assert found["zygote"]["state"] == "info" and found["zygote"]["do"] == "make store"
    assert status == 0 and found["ruff"]["state"] == "ok"


def test_no_nix_in_path(state):
    status, found = findings("--state", state, PATH="/nonexistent")
    assert status == 1 and found["nix"]["state"] == "missing" and "nix-bin" in found["nix"]["do"]


def test_leaves_nothing(state):
    process = shell.start("doctor", "--state", state)
    process.communicate(timeout=shell.SECONDS)
    assert not shell.cgroups_of(process.pid)
    assert not shell.client.processes_with(f"doctor-{process.pid}-")


def test_online_asks_the_index(state):
    _, found = findings("--online", "--state", state)
    assert found["index"]["state"] == "ok", found["index"]


def test_a_host_that_lacks_layers(state):
    """Where no cgroup is mounted, in a mount namespace of its own."""
    if os.geteuid() != 0:
        import pytest
        pytest.skip("only root can hide the host's cgroups")
    hide = "for m in $(awk '$3 ~ /^cgroup2?$/ {print $2}' /proc/mounts | sort -r); do umount $m || exit 9; done; "
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", hide + 'exec "$@"', "sh", shell.CUVETTE]

    def there(*more):
        return subprocess.run([*words, *map(str, more)], capture_output=True, text=True, timeout=shell.SECONDS, check=False,
                              stdin=subprocess.DEVNULL, env=shell.clean_environment())

    lacking = there("doctor", "--lacking", "--state", state)
    assert lacking.stdout.strip() == "cgroup-memory,cgroup-pids,cgroup-cpu", lacking.stderr
    done = there("doctor", "--state", state)
    assert done.returncode == 1
    line = next(line for line in done.stdout.splitlines() if "cgroup-memory" in line)
    assert line.split()[0] == "degraded"
    assert there("doctor", "--state", state, "--allow-degraded", lacking.stdout.strip()).returncode == 0
    refused = there("serve", "--state", state, "--listen", "127.0.0.1:0")
    assert refused.returncode == 1 and "--allow-degraded cgroup-memory,cgroup-pids,cgroup-cpu" in refused.stderr
    main = shell.program("print('ran')")
    assert there("run", "--state", state, main).returncode == 3
    ran = there("run", "--state", state, "--allow-degraded", lacking.stdout.strip(), main)
    assert ran.stdout == "ran\n", ran.stderr
    assert pathlib.Path("/sys/fs/cgroup").exists()
