# SPDX-License-Identifier: MIT
"""Runs that are waited for: many of one key do not hold up the one of another, neither for places nor
for boxes, nor for memory."""

import contextlib
import json
import re
import select
import socket

import client
from test_async import create_key

BOXES, CLIENTS = 2, 16
PLACES = CLIENTS - CLIENTS // 8
OF_ONE = PLACES - PLACES // 4
MEMORY = 64 << 20  # the least that a service takes
ENOUGH_BOXES = 8  # for all that this memory is enough for


def send(service, key: str, code: str) -> socket.socket:
    body = (client.REQUIREMENTS + client.part("code", code.encode(), "main.py") + client.part("lint", b"off") +
            client.part("timeout", b"250") + client.END)
    s = service.connect(timeout=100)
    s.sendall(client.request(body, headers=f"X-API-Key: {key}\r\n"))
    return s


def count(service, admin: str, name: str) -> int:
    """As the launcher has told within the last second."""
    text = service.get("/metrics", headers={"X-API-Key": admin}).text
    return int(re.search(rf"^{name} (\d+)$", text, re.M).group(1))


def test_one_keys_many_do_not_hold_up_anothers_one():
    with client.fresh_state() as state:
        many, one, admin = create_key(state), create_key(state), create_key(state, "--scope", "admin")
        with (client.Service(state, "--clients", str(CLIENTS), "--boxes", str(BOXES)) as service,
              contextlib.ExitStack() as stack):
            held = []

            def hold(n: int) -> None:
                held.extend(stack.enter_context(send(service, many, "import time\ntime.sleep(200)\n")) for _ in range(n))

            hold(BOXES)
            client.wait_until(lambda: count(service, admin, "cuvette_boxes_busy") == BOXES, 60, "the boxes are taken")
            hold(OF_ONE - BOXES)
            client.wait_until(lambda: count(service, admin, "cuvette_box_queue") == OF_ONE - BOXES, 60, "all wait for one")
            # There are places left, for others.
            with send(service, many, "pass\n") as s:
                refused = client.read_answer(s)
            assert refused.status == 503 and refused.json()["error"]["code"] == "overloaded"
            with send(service, one, "print('alone')\n") as alone:
                client.wait_until(lambda: count(service, admin, "cuvette_box_queue") == OF_ONE - BOXES + 1, 60, "it waits too")
                # The next box is theirs, though all others came before.
                held[0].close()
                assert client.read_answer(alone).json()["stdout"] == "alone\n"
            assert select.select(held[1:], [], [], 0)[0] == []


def send_much(service, key: str, code: str) -> socket.socket:
    """A request that holds about a sixth of the memory until it has its answer."""
    body = json.dumps({"requirements": "# none\n", "code": code, "lint": "off", "timeout": 250, "stdin": "x" * (MEMORY // 32)})
    s = service.connect(timeout=100)
    s.sendall(client.request(body.encode(), content_type="application/json", headers=f"X-API-Key: {key}\r\n"))
    return s


def test_one_keys_large_requests_leave_memory_to_anothers():
    with client.fresh_state() as state:
        many, one, admin = create_key(state), create_key(state), create_key(state, "--scope", "admin")
        with (client.Service(state, "--request-memory", str(MEMORY), "--boxes", str(ENOUGH_BOXES)) as service,
              contextlib.ExitStack() as stack):
            held = []

            def is_in(s: socket.socket) -> bool:
                """In a box, and not refused."""
                client.wait_until(lambda: count(service, admin, "cuvette_boxes_busy") > len(held) or
                                  select.select([s], [], [], 0)[0], 60, "it is taken or refused")
                return not select.select([s], [], [], 0)[0]

            while is_in(s := stack.enter_context(send_much(service, many, "import time\ntime.sleep(200)\n"))):
                held.append(s)
                assert len(held) < ENOUGH_BOXES, "never refused"
            refused = client.read_answer(s)
            assert refused.status == 503 and refused.code == "overloaded" and int(refused.headers["retry-after"]) > 0
            with send_much(service, one, "print(len(input()))\n") as another:
                answer = client.read_answer(another)
            assert answer.status == 200 and answer.json()["stdout"] == f"{MEMORY // 32}\n", answer.body
            assert "API key" in refused.json()["error"]["message"]  # nobody else could be meant
            # What is given back can be had again.
            for s in held:
                s.close()
            client.wait_until(lambda: count(service, admin, "cuvette_memory_bytes") == 0, 60, "all of it is free")
            with send_much(service, many, "print(len(input()))\n") as again:
                assert client.read_answer(again).status == 200
