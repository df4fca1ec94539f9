# SPDX-License-Identifier: MIT
"""What runs keeps its environment, whoever makes room."""

import json
import os
import signal
import time

import pytest

import shell

IDNA = "idna==3.7\n"
ENOUGH, ENOUGH_SECONDS = 60, 120  # runs, and time, until a zygote must have been made
LAZY = "import idna\nimport idna.uts46data\nprint(idna.__name__)\n"
SLOW = "import time\nprint('in', flush=True)\ntime.sleep(%d)\nimport idna.uts46data\nprint('out')\n"


def run_until(folder, code, text, *paths):
    """Runs until one took one of these ways; its answer."""
    begun, runs = time.monotonic(), 0
    while runs < ENOUGH or time.monotonic() - begun < ENOUGH_SECONDS:
        runs += 1
        done = shell.cuvette("run", "--state", folder, "--json", "--exclude-newer", shell.DATE, "-r",
                             shell.requirements(text), code)
        answer = json.loads(done.stdout)
        assert answer["status"] == "success", answer
        if answer["path"] in paths:
            return answer
    raise AssertionError(f"no run took one of {paths}")


def test_a_warm_zygote_goes_before_its_environment(folder):
    if not shell.makes_cgroups():
        pytest.skip("this host gives no control groups: there are no zygotes")
    code = shell.program(LAZY)
    with shell.service(folder):
        answer = run_until(folder, code, IDNA, "zygote", "pool")
        path = folder / "nix/nix/store" / answer["environment"]["store_path"].rpartition("/")[2]
        for _ in range(20):
            gone = make_room(folder)
            # Either the zygote has let go, or the environment is whole.
            assert (gone["in_use"], path.exists()) in ((0, False), (1, True)), gone
            if gone["in_use"] == 0:
                break
        assert gone["in_use"] == 0, "a zygote without runs lets go when it is asked to"
        for _ in range(5):
            again = run_until(folder, code, IDNA, "cold", "zygote", "pool")
            assert again["stdout"] == "idna\n" and again["environment"]["digest"] == answer["environment"]["digest"]


def test_a_run_keeps_its_environment_whatever_becomes_of_the_builder(folder):
    with shell.service(folder, "--zygotes", "0") as running:
        run = shell.start("run", "--state", folder, "--exclude-newer", shell.DATE, "-r", shell.requirements(IDNA),
                          "--timeout", "200", shell.program("import time\nprint('in', flush=True)\ntime.sleep(180)\n"))
        try:
            assert run.stdout.readline() == b"in\n"
            builder = shell.child(running, "cuvette-builder")
            os.kill(builder, signal.SIGKILL)
            shell.wait_until(lambda: "the builder is ready again" in running.log.read_text(), 30, "another builder")
            kept = make_room(folder)
            assert run.poll() is None and (kept["in_use"], kept["count"]) == (1, 1), kept
        finally:
            run.terminate()
            run.communicate(timeout=shell.SECONDS)
        shell.wait_until(lambda: make_room(folder)["count"] == 0, 30, "nobody uses it any more")


def make_room(folder):
    return json.loads(shell.cuvette("env", "gc", "--state", folder, "--env-count", "0", "--json").stdout)


def test_runs_keep_their_environments(folder):
    """One by the service's processes and one by its own: neither's is taken by who makes room."""
    for seconds in (8, 50):  # a machine may be too slow for the first
        slow = shell.program(SLOW % seconds)
        with shell.service(folder, "--zygotes", "0"):
            running = [shell.start("run", *how, "--state", folder, "--exclude-newer", shell.DATE, "-r",
                                   shell.requirements(text), "--timeout", "90", slow)
                       for how, text in (((), IDNA), (("--standalone",), IDNA + "six==1.16.0\n"))]
            assert [run.stdout.readline() for run in running] == [b"in\n"] * 2
            gone = make_room(folder)
            both = all(run.poll() is None for run in running)
            for run in running:
                out, err = run.communicate(timeout=shell.SECONDS)
                assert not both or (run.returncode == 0 and out == b"out\n"), err
            after = make_room(folder)
        if both:
            assert gone["in_use"] == 2 and gone["count"] == 2
            assert after["evicted"] == 2 and after["in_use"] == 0
            return
    raise AssertionError("two runs of 50 seconds were never there at once")
