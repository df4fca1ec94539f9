# SPDX-License-Identifier: MIT
"""What clients and operators can say about sharing, and that the answer tells what was done."""

import json
import time
import uuid

import client
import pytest

ENOUGH, ENOUGH_SECONDS = 40, 120  # runs, and time, until a zygote must have been made


def paths(service, warm=True, **fields) -> list[str]:
    """Of runs one after the other, until one was not cold; warm: one will not be."""
    taken, begun = [], time.monotonic()
    while set(taken) <= {"cold"} and (len(taken) < ENOUGH or warm and time.monotonic() - begun < ENOUGH_SECONDS):
        answer = service.answer(f"print('{len(taken)}')\n", **fields)
        assert answer["status"] == "success" and answer["stdout"] == f"{len(taken)}\n"
        assert bool(answer["why_cold"]) == (answer["path"] == "cold"), answer
        taken.append(answer["path"])
    return taken


def test_strict_is_always_cold_and_auto_is_not(service):
    assert paths(service, isolation="auto")[-1] in ("zygote", "pool")
    for _ in range(3):
        answer = service.answer("print(1)\n", isolation="strict")
        assert answer["path"] == "cold" and "strict" in answer["why_cold"], answer
    assert paths(service)[-1] in ("zygote", "pool"), "auto is the default"


def test_the_log_tells_the_way_of_each_run(service):
    answer = service.answer("print(1)\n", isolation="strict")
    client.wait_until(lambda: answer["request_id"] in service.log.read_text(), 5, "the request is in the log")
    [record] = [r for r in map(json.loads, service.log_lines())
                if r.get("request_id") == answer["request_id"] and "wall_us" in r]
    assert record["path"] == "cold" and record["why_cold"] == answer["why_cold"]


def test_a_refusal_says_what_would_be_right(service):
    said = service.run("pass\n", isolation="loose").json()["error"]
    assert said["code"] == "field-invalid" and "`auto`" in said["message"] and "`strict`" in said["message"]


@pytest.mark.parametrize("how, warm", [("environment", True), ("none", False)])
def test_the_operator_decides_who_shares(how, warm):
    with client.fresh_state() as state, client.Service(state, ZYGOTE_SHARING=how) as service:
        said = service.get("/health").json()["components"]["zygote"]
        assert said["status"] == "ok" and said["sharing"] == how
        assert (paths(service, warm)[-1] != "cold") is warm


def test_zygotes_can_be_switched_off():
    with client.fresh_state() as state, client.Service(state, "--zygotes", "0") as service:
        assert set(paths(service, False)) == {"cold"}


def test_a_program_with_other_requirements_has_another_zygote(service):
    """Forked from the wrong one, a run would lack its package or have too many."""
    code = "import sys\ntry:\n    import idna\n    print(idna.__version__)\nexcept ImportError:\n    print('none')\n"
    for _ in range(6):
        mine = code + f"# {uuid.uuid4()}\n"
        assert service.answer(mine, "idna==3.7\n", exclude_newer=client.DATE)["stdout"] == "3.7\n"
        assert service.answer(mine, "idna==3.6\n", exclude_newer=client.DATE)["stdout"] == "3.6\n"
        assert service.answer(mine)["stdout"] == "none\n"
