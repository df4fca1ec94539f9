# SPDX-License-Identifier: MIT
"""Many clients that wait at once: all are held in little memory, each is answered, and who is one too many is told
when to come back."""

import contextlib
import pathlib
import resource
import select
import socket

import client
import pytest

CLIENTS = 1200
PLACES = CLIENTS - CLIENTS // 8  # for runs; the rest is for quick questions
MORE = 12
ANSWERED = 120  # in the minute that they may wait for a box
# With room to spare; before requests gave up what they need no more it was ten times as much as now.
BYTES_OF_EACH = 60_000


@pytest.fixture(scope="module")
def held():
    """A service whose two boxes are taken for as long as the test likes."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 4 * CLIENTS:
        pytest.skip(f"needs {4 * CLIENTS} descriptors, may have {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    running = client.Service(client.suite_state(), "--clients", str(CLIENTS), "--boxes", "2")
    with running:
        running.answer("print()\n")
        with contextlib.ExitStack() as stack:
            holders = [stack.enter_context(contextlib.closing(send(running, "import time\ntime.sleep(250)\n", "300")))
                       for _ in range(2)]
            client.wait_until(lambda: queue(running, "sandbox")["boxes_busy"] >= 2, 60, "the boxes are taken")
            yield running, holders


def send(service, code: str, timeout: str = "60") -> socket.socket:
    body = (client.REQUIREMENTS + client.part("code", code.encode(), "main.py") + client.part("lint", b"off") +
            client.part("timeout", timeout.encode()) + client.END)
    s = service.connect(timeout=280)
    s.sendall(client.request(body))
    return s


def queue(service, name: str = "queue") -> dict:
    return service.get("/health").json()["components"][name]


def memory(service) -> int:
    """PSS of the service's own processes: what waits in boxes, and ruff, is not about clients."""
    total = 0
    for pid, name in service.pids().items():
        if name in ("cuvette-manager", "cuvette-builder", "cuvette-launcher"):
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    return total


def answered(sockets: list) -> list:
    looks = select.poll()  # select takes no descriptor above 1023
    for s in sockets:
        looks.register(s, select.POLLIN)
    return looks.poll(0)


def test_a_thousand_clients_wait_in_little_memory_and_are_answered(held):
    service, holders = held
    idle = memory(service)
    waiting = [send(service, f"print({i})\n") for i in range(PLACES - len(holders))]
    try:
        client.wait_until(lambda: queue(service)["running"] == PLACES, 60, "all of them are in")
        # Who comes now is told at once.
        for s in [send(service, "print()\n") for _ in range(MORE)]:
            with s:
                answer = client.read_answer(s)
            assert answer.status == 503 and answer.code == "overloaded" and int(answer.headers["retry-after"]) > 0
        assert service.get("/health").status_code == 200  # there are connections left for that
        more = memory(service) - idle
        assert more < BYTES_OF_EACH * PLACES, f"{more / 1e6:.1f} MB for {PLACES} clients that wait"
        assert not answered(waiting), "without a box"
        # They hang up, and their places are free again.
        for s in waiting[ANSWERED:]:
            s.close()
        client.wait_until(lambda: queue(service)["running"] == ANSWERED + len(holders), 60, "the others are gone")
        for s in holders:
            s.close()
        for i, s in enumerate(waiting[:ANSWERED]):
            answer = client.read_answer(s)
            assert answer.status == 200 and answer.json()["stdout"] == f"{i}\n", answer.body
        client.wait_until(lambda: queue(service)["running"] == 0, 60, "nobody waits any more")
    finally:
        for s in waiting:
            s.close()
