# SPDX-License-Identifier: MIT
"""Runs that are waited for: many of one key do not hold up the one of another, neither for places nor for boxes."""

import contextlib
import re
import select
import socket

import client
from test_async import create_key

BOXES, CLIENTS = 2, 16
PLACES = CLIENTS - CLIENTS // 8
OF_ONE = PLACES - PLACES // 4


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
