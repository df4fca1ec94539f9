# SPDX-License-Identifier: MIT
"""A part that dies is started again; until then its clients are told to come back."""

import contextlib
import os
import signal
import subprocess
import threading
import time

import folder
import httpx
import leftovers
import pytest
from folder import client

BACK_SECONDS = 120


@pytest.fixture(scope="module")
def service():
    with client.fresh_state() as state, client.Service(state) as running:
        yield running


def namespace(pid: int) -> str:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a box that waited may be gone
        return os.readlink(f"/proc/{pid}/ns/pid")
    return ""


@pytest.mark.parametrize("program", folder.PARTS)
def test_a_part_that_is_killed_is_started_again_and_the_others_stay(service, program):
    before = {name: folder.part(service, name) for name in folder.PARTS}
    os.kill(before[program], signal.SIGKILL)
    folder.works_within(service, BACK_SECONDS)
    after = {name: folder.part(service, name) for name in folder.PARTS}
    assert after[program] != before[program]
    assert all(after[name] == before[name] for name in folder.PARTS if name != program)
    assert service.process.poll() is None
    client.wait_until(service.healthy, 5, "health is asked anew")
    short = program.partition("-")[2]
    said = f"cuvette: the {short} ended unexpectedly (signal 9 (Killed)); starting it again"
    assert said in service.log_lines()


@pytest.mark.parametrize("program", ["cuvette-launcher", "cuvette-manager"])
def test_a_run_whose_part_is_killed_ends_and_its_client_is_told(service, program):
    answers, mark = [], folder.new_mark()

    def lost():
        with contextlib.suppress(httpx.TransportError):
            answers.append(service.run(folder.marked(mark, "import time\ntime.sleep(250)\n"), timeout="250"))

    worker = threading.Thread(target=lost)
    worker.start()
    client.wait_until(lambda: folder.processes_with(mark), 20, "the run started")
    os.kill(folder.part(service, program), signal.SIGKILL)
    worker.join(300)
    assert not worker.is_alive()
    client.wait_until(lambda: not folder.processes_with(mark), 5, "the run ended")
    if program == "cuvette-manager":
        assert answers == [], "nobody is there to answer"
    elif answers[0].status_code == 503:
        assert folder.code_of(answers[0]) == "unavailable" and int(answers[0].headers["retry-after"]) >= 1
    else:  # who watched over the run has told of its end before the launcher was missed
        assert program == "cuvette-launcher" and folder.is_retryable(answers[0]), answers[0].text
    folder.works_within(service, BACK_SECONDS)


@pytest.mark.skipif(os.geteuid() != 0, reason="an init's namespaces are root's to see")
def test_a_run_that_dies_with_its_init_has_not_ended_by_itself(service):
    folder.works_within(service, BACK_SECONDS)
    for _ in range(3):
        answers, mark = [], folder.new_mark()
        code = folder.marked(mark, "import time\ntime.sleep(250)\n")
        worker = threading.Thread(target=lambda to=answers, run=code: to.append(service.run(run, timeout="250")))
        worker.start()
        client.wait_until(lambda name=mark: folder.processes_with(name), 20, "the run started")
        box = os.readlink(f"/proc/{folder.processes_with(mark)[0]}/ns/pid")
        [init] = [pid for pid, row in leftovers.below(service.process.pid).items()
                  if row[2] == "cuvette-init" and namespace(pid) == box]
        os.kill(init, signal.SIGKILL)
        worker.join(300)
        assert answers[0].status_code == 500 and folder.is_retryable(answers[0]), answers[0].text
    killed = service.answer("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    assert killed["status"] == "killed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as the manager")
def test_sockets_that_a_manager_has_shut_are_made_anew(service):
    before = {name: folder.part(service, name) for name in folder.PARTS}
    manager = before["cuvette-manager"]
    controls = ["4", "5"]  # as the supervisor has numbered them: to the launcher and to the builder
    subprocess.run([client.BIN.parent / "tests/helpers/as_manager", "--shut", str(manager), *controls], check=True)
    os.kill(manager, signal.SIGKILL)
    assert folder.works_within(service, BACK_SECONDS) < BACK_SECONDS / 2
    client.wait_until(service.healthy, 5, "health is asked anew")
    after = {name: folder.part(service, name) for name in folder.PARTS}
    assert not set(before.values()) & set(after.values()), "each has an end of a socket that was shut"
    assert "is not a control socket" not in service.log.read_text(), "the manager waits for none of them"
    assert service.run("import six\n", "six==1.16.0\n").json()["status"] == "success", "the builder is asked too"


@pytest.mark.parametrize("program", ["cuvette-launcher", "cuvette-builder"])
def test_while_a_part_can_not_be_started_runs_are_refused_at_once(program):
    with folder.programs() as programs, folder.using(programs), client.fresh_state() as state, \
            client.Service(state) as service:
        pid = folder.part(service, program)
        folder.exchange(programs, program, "exit 5")
        os.kill(pid, signal.SIGKILL)
        client.wait_until(lambda: service.log.read_text().count("exit status 5") >= 2, 20, "it was tried again")
        took = []
        for _ in range(30):  # more than its sockets hold
            begun = time.monotonic()
            response = service.run("print(1)\n")
            took.append(time.monotonic() - begun)
            assert response.status_code == 503 and folder.code_of(response) == "unavailable", response.text
            assert int(response.headers["retry-after"]) >= 1
        assert sorted(took)[len(took) // 2] < 5, "each waits for it"
        client.wait_until(lambda: service.get("/health").status_code == 503, 5, "health is asked anew")
        folder.exchange(programs, program, None)
        folder.works_within(service, BACK_SECONDS)
        client.wait_until(service.healthy, 5, "health is asked anew")


def test_many_deaths_in_a_row_leave_nothing(service):
    for _ in range(5):
        os.kill(folder.part(service, "cuvette-launcher"), signal.SIGKILL)
        folder.works_within(service, BACK_SECONDS)
    client.wait_until(lambda: len({os.path.basename(path) for path in folder.cgroups_of(service.process.pid)}) <= 2, 60,
                      "their control groups are gone")
    for part in ("cuvette-manager", "cuvette-builder"):
        # A child of it is one for a moment, until it has become another program.
        client.wait_until(lambda name=part: list(service.pids().values()).count(name) == 1, 60, f"one {part}")


def test_the_end_does_not_wait_for_a_part_that_is_down():
    with folder.programs() as programs, folder.using(programs), client.fresh_state() as state:
        service = client.Service(state).start()
        try:
            pid = folder.part(service, "cuvette-launcher")
            folder.exchange(programs, "cuvette-launcher", "exec sleep 1000")
            os.kill(pid, signal.SIGKILL)
            client.wait_until(lambda: "starting it again" in service.log.read_text(), 10, "it was seen")
            assert service.stop() == 0
        finally:
            service.kill()
        folder.exchange(programs, "cuvette-launcher", None)
        with client.Service(state):
            assert not folder.cgroups_of(service.process.pid), "the next start has cleared what the dead one left"
