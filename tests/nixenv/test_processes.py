# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""Which processes the builder starts, and what is left of them."""
import contextlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import time

from helpers import (ANSWER_S, BUILD, ask, clean_state, command, environment, environment_of, kill, physical, processes_of,
                     suite_state, traced, wait_for)
from served import Server, make_certificate, wheel

SLOW = "numpy==2.3.0\npandas==2.3.0\n"


def test_one_flight_for_all(tmp_path):
    with clean_state() as state:
        answers, programs = traced(tmp_path, command(state, "requests==2.31.0\n", "--parallel", "8", "--quiet"))
    assert len(answers) == 8 and len({a["digest"] for a in answers}) == 1
    assert not any(a["cached"] for a in answers)
    # One Nix for each processor, and nothing that evaluates an expression.
    assert programs.count("uv") == 1 and 1 <= programs.count("nix-daemon") <= (os.cpu_count() or 1)
    assert not {"nix-build", "nix-store", "nix", "build-remote"} & set(programs)


def test_trust_is_read_once(tmp_path):
    """Not by each of the connections that are open at once."""
    certificate, key = make_certificate(tmp_path)
    log = tmp_path / "strace"
    with clean_state() as state, Server() as index, Server(tls=(certificate, key)) as host:
        text = "".join(f"trust-{n} @ {host.site}{host.add(wheel(f'trust-{n}'))}\n" for n in range(5))
        env = environment({"UV_DEFAULT_INDEX": index.index, "SSL_CERT_FILE": certificate, "NETRC": "/dev/null",
                           "CUVETTE_TRUSTED_ORIGINS": host.site})
        words = command(state, text, "--exclude-newer", "2024-09-01", "--quiet")
        done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=openat", "-e", "signal=none", "-o", str(log), *words],
                              capture_output=True, text=True, timeout=ANSWER_S, env=env, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    reads = [line for line in log.read_text().splitlines() if "/ca.pem" in line and "O_RDONLY" in line]
    assert len([line for line in reads if "/etc/ca.pem" not in line]) == 1, reads  # that one is the resolver's


def test_a_new_cache_is_told_of_python_first(tmp_path):
    """The resolver that may start none does not fail for that, to be asked again."""
    with clean_state() as state, Server() as server:
        server.add(wheel("first"))
        shutil.rmtree(state / "nix/uv-cache", ignore_errors=True)
        words = command(state, "first\n", "--exclude-newer", "2024-09-01", "--quiet", "--launcher",
                        str(BUILD / "bin/cuvette-launcher"))
        [answer], programs = traced(tmp_path, words, {"UV_DEFAULT_INDEX": server.index, "NETRC": "/dev/null"})
    assert answer.get("packages") == ["first 1.0"], answer
    assert programs.count("uv") == 2  # one that learns, one that resolves


def test_known_digest_starts_nothing(tmp_path):
    state = suite_state()
    environment_of(state, "requests==2.31.0\n")
    answers, programs = traced(tmp_path, command(state, "requests==2.31.0\n", "--repeat", "5", "--quiet"))
    assert [a["cached"] for a in answers] == [True] * 5
    assert programs == ["envask", "cuvette-builder"]


def test_known_digest_is_quick():
    state = suite_state()
    environment_of(state, "requests==2.31.0\n")
    medians = []
    for _ in range(4):
        answers = ask(state, "requests==2.31.0\n", "--repeat", "50", "--quiet")
        medians.append(sorted(a["ask_us"] for a in answers[1:])[len(answers) // 2])
    print("known digest, medians of the round trip:", medians, "us")
    # To start a process takes longer; one round of four is not disturbed by what else the machine does.
    assert min(medians) < 5000, medians


class Asking:
    """envask in a session of its own, to be killed at some point."""

    def __init__(self, state, requirements, *options):
        self.process = subprocess.Popen(command(state, requirements, *options), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=environment(), stdin=subprocess.PIPE,
                                        start_new_session=True)
        self.builder = int(self.process.stderr.readline().split()[1])

    def running(self, word):
        return [line for line in processes_of(self.process.pid).values() if word in line]

    def builder_lives(self):
        return self.builder in processes_of(self.process.pid)

    def answered(self):
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def end(self):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


def check_whole(state, answer):
    for name in answer["closure"]:
        assert physical(state, name).is_dir()


def build_processes(state):
    """Everything that works on this state's store, in whichever session."""
    done = subprocess.run(["pgrep", "-af", str(state)], capture_output=True, text=True, check=False)
    own = ("envask", "pytest", "tests/run")
    return [line for line in done.stdout.splitlines() if not any(word in line for word in own)]


def installed(state):
    """How many of SLOW's wheels Nix has installed; their paths appear when they are whole."""
    wanted = ("-numpy-2.3.0", "-pandas-2.3.0", "-six-1.17.0")
    return sum(name.endswith(wanted) for name in os.listdir(state / "nix/nix/store"))


def added(state):
    return sum(name.endswith(".whl") and "-uv-" not in name and "-ruff-" not in name
               for name in os.listdir(state / "nix/nix/store"))


# Seen from outside, so that no machine is too fast or too slow: what is looked for
# lasts from its moment to the end of the step.
MOMENTS = {
    "the resolver runs": lambda asking, state: asking.running("uv pip compile"),
    "a wheel comes in": lambda asking, state: any(w.stat().st_size for w in (state / "nix/tmp").glob("*/work-*/*.whl")),
    "a wheel is added": lambda asking, state: asking.running("nix-daemon ") and added(state) >= 1,
    "a wheel is installed": lambda asking, state: asking.running("nix-daemon ") and installed(state) >= 1,
    "two wheels are installed": lambda asking, state: asking.running("nix-daemon ") and installed(state) >= 2,
}


def killed_at(state, moment):
    """False when the answer was quicker than we are."""
    asking = Asking(state, SLOW, "--quiet")
    try:
        while not MOMENTS[moment](asking, state):
            if asking.answered():
                return False
            time.sleep(0.002)
        kill(asking.builder)
        wait_for(lambda: not build_processes(state), ANSWER_S, "all of the builder's processes are gone")
        wait_for(lambda: set(processes_of(asking.process.pid)) <= {asking.process.pid}, ANSWER_S, "the session is empty")
        return asking.process.stdout.read() == ""
    finally:
        asking.end()


def test_killed_builder_leaves_nothing():
    for _ in range(5):
        with clean_state() as state:
            killed = all(killed_at(state, moment) for moment in MOMENTS)
            answer = environment_of(state, SLOW)
            assert [p.split()[0] for p in answer["packages"]][:2] == ["numpy", "pandas"]
            check_whole(state, answer)
            assert list((state / "nix/tmp").iterdir()) == []
        if killed:
            return
    raise AssertionError("the answer was always quicker")


def kill_if_there(pid):
    """Who was seen alive may have ended by itself since: that is one of the moments too."""
    with contextlib.suppress(ProcessLookupError):
        kill(pid)


def killed_after(state, seconds, choose):
    """A process of the flight, or the builder itself, is killed; whatever came of the request."""
    asking = Asking(state, SLOW, "--quiet")
    try:
        time.sleep(seconds)
        own = [pid for pid in processes_of(asking.process.pid) if pid != asking.process.pid]
        victim = choose(own) if own else asking.builder
        if not asking.answered():
            kill_if_there(victim)
        if victim != asking.builder:  # somebody must tell the client, within the builder's own time
            assert select.select([asking.process.stdout], [], [], ANSWER_S)[0], "no answer after a child was killed"
            kill_if_there(asking.builder)
        wait_for(lambda: not build_processes(state), ANSWER_S, "all of the builder's processes are gone")
    finally:
        asking.end()


def test_killed_at_any_moment():
    seed = int(os.environ.get("CUVETTE_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)
    dice = random.Random(seed)
    print(f"again: CUVETTE_FAULT_SEED={seed}")
    for _ in range(10 if os.environ.get("CUVETTE_TEST_FULL") else 1):
        with clean_state() as state:
            for _ in range(10):
                killed_after(state, dice.uniform(0.02, 1.5), dice.choice)
            answer = environment_of(state, SLOW)
            assert [p.split()[0] for p in answer["packages"]][:2] == ["numpy", "pandas"]
            check_whole(state, answer)
            assert list((state / "nix/tmp").iterdir()) == []


def test_last_session_to_leave_ends_the_flight():
    with clean_state() as state:
        asking = Asking(state, SLOW, "--cancel-at", "building", "--hold")
        try:
            assert json.loads(asking.process.stdout.readline()) == {"cancelled": True}
            wait_for(lambda: not asking.running("nix-") and not asking.running("/tool/uv"), 5, "the flight's end")
            wait_for(lambda: not list((state / "nix/tmp").glob("*/work-*")), 5, "its folder's end")
            assert asking.builder_lives()
        finally:
            asking.end()
        check_whole(state, environment_of(state, SLOW))


def test_builder_ends_on_sigterm_and_hang_up():
    asking = Asking(suite_state(), "requests==2.31.0\n", "--hold")
    try:
        asking.process.stdout.readline()
        os.kill(asking.builder, signal.SIGTERM)
        wait_for(lambda: not asking.builder_lives(), 5, "the builder's end")
    finally:
        asking.end()
    asking = Asking(suite_state(), "requests==2.31.0\n", "--hold")
    try:
        asking.process.stdout.readline()
        asking.process.stdin.close()  # envask closes the supervisor's socket
        asking.process.wait(120)
        assert asking.process.returncode == 0
    finally:
        asking.end()
