# SPDX-License-Identifier: MIT
# tests/run: seconds=900
"""Kept ruffs: the same answer as from one that is started, whatever becomes of them."""

import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import signal
import time

import client
import pytest

FILES = 300 if os.environ.get("CUVETTE_TEST_FULL") else 100
SIZE_MAX = 60_000
NUMBERS = itertools.count(1)

OWN = [
    "", "\n", "   \n", "#\n", "x=1", "x = 1\n", "x = 1\r\ny=2\r\n", "x=1\ry = 2\r", "x=1\n\n\n\n", "\tx=1\n", "\x0cx=1\n",
    "if 1:\n\tx=1\n        y=2\n", "import os # noqa\n", "import os # noqa: F401\n", "# ruff: noqa\nimport os\n",
    'x = "\\d"\n', 'x = "😀"; y = "\\d"; import os, sys\n', "import os; é = '𝔘'; x = é == None\n", "def f(:\n", "x = (1\n",
    "x = 1)\n", '"abc\n', '"""abc\n', "return 1\n", "yield 1\n", "nonlocal x\n", "nonlocal  x;y=1\n", "await x\n",
    "def f():\n  nonlocal zz\n", "try: pass\nexcept* E: pass\n", "try:\n    pass\nexcept* E:\n    pass\n",
    "match x:\n  case 1: pass\n", 'print(f"{x!r:>{w}}")\n', "type X = int\n", "a=1;b=2\n", "lambda: (yield)\n", "l = 1\n",
    "class A: pass\nclass A: pass\n", "if x == None: pass\n", "if not x in y: pass\n", "try:\n  pass\nexcept: pass\n",
    "from x import *\nfoo()\n", "import a\nimport a\n", 'x = {"a":1,"a":2}\n', 'assert (1,"x")\n', '"%s %s" % (1,)\n',
    '"{} {}".format(1)\n', "# fmt: off\nx=1\n", "# fmt: off\nnonlocal x\n\n\n", "x = 'a'  \\\n  'b'\n", "x = 1 \\\n",
    "def f():\n    pass\n    return\n\n\n\n\n\ny=1\n", 'x = "\u2028"; import os\n', "x = 1 \u2028 y\n", "def f(a,a): pass\n",
    "del x,\nbreak\ncontinue\n", "f(a=1,a=2)\n", "global x\n", "x=1\ndef f():\n  print(x)\n  global x\n", "*a = 1\n",
    "a, *b, *c = 1\n", "x=1\nfrom __future__ import annotations\n", "0777\n", "$\n", 'print "x"\n', "import os\n" * 30,
    "if True:\n    import os\n" * 5, "x = '" + "long " * 300 + "'\n", "# " + "long " * 300 + "\n", "\ufeffx=1\n", "x = 1\n\x00\n",
    "x = '\x01\x7f\\x00'\n", "def f(x):\n  '''doc\n     more  \n  '''\n", "import b\nimport a\n\nprint(a,b)\n",
]


def cases() -> list[tuple[str, bytes]]:
    """Code of every kind: the image's own library, pieces of it, and what we thought of."""
    store = client.suite_state() / "nix/nix/store"
    library = next(store.glob("*-worker-image-python311/usr/lib/python3.11"))
    files = sorted(p for p in library.rglob("*.py") if 0 < p.stat().st_size < SIZE_MAX)
    chance = random.Random(4)
    found = []
    for path in chance.sample(files, FILES):
        code = path.read_bytes()
        with contextlib.suppress(UnicodeDecodeError):
            code.decode()
            found.append((path.name, code))
    for name, code in found[:60]:
        found.append((f"{name} with CRLF", code.replace(b"\n", b"\r\n")))
        found.append((f"{name} cut", code.decode()[:chance.randrange(1, len(code))].encode()))
    return found + [(f"own {i}: {code[:30]!r}", code.encode()) for i, code in enumerate(OWN) if code]


def report(answer: dict) -> dict:
    return {key: answer[key] for key in ("lint", "lint_warnings", "formatted_code")}


def is_server(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"\0server\0" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def ruffs(service) -> set[int]:
    """The kept ones."""
    return {pid for pid, name in service.pids().items() if name == "ruff" and is_server(pid)}


def warm(service, wanted=2) -> set[int]:
    client.wait_until(lambda: len(ruffs(service)) == wanted, 30, f"{wanted} ruffs stand by")
    # It is there a little before it takes documents.
    client.wait_until(lambda: sum('"ruff-server-started"' in line for line in service.log_lines()) >= wanted, 30,
                      "they have been tried")
    return ruffs(service)


def boxes_of(service, answer: dict) -> int:
    """How many runs the launcher had for a request, the program's own among them;
    it says so when the answer is out already."""
    def lines():
        return [line for line in service.log_lines() if '"run-done"' in line and answer["run_id"] in line]

    client.wait_until(lines, 5, "the program's run is in the log")
    return len(lines())


def new_code() -> str:
    return f"import os\nnumber=[{next(NUMBERS)} ]\n"


def assert_right(answer: dict, code: str) -> None:
    assert answer["lint"] == "done"
    assert [w["code"] for w in answer["lint_warnings"]] == ["I001", "F401"]
    assert answer["formatted_code"] == code.replace("os\n", "os\n\n").replace("=[", " = [").replace(" ]", "]")


@pytest.fixture(scope="module")
def started():
    """A service that keeps no ruff: it starts one for each."""
    with client.fresh_state() as state, client.Service(state, LINT_SERVERS="0") as other:
        yield other


attempts = itertools.count()


@client.one_good_of(3)
def test_a_kept_ruff_says_what_a_started_one_says(service, started):
    warm(service)
    # What is known of code is not asked for again: so it is other code the next time.
    mark = b"\n# again\n" * next(attempts)
    before = len(service.log_lines())

    def both(case):
        name, code = case
        return name, *(report(s.answer(code, timeout="0.5")) for s in (service, started))

    todo = [(name, code + mark) for name, code in cases()]
    assert len(todo) > FILES
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        results = list(pool.map(both, todo))
    different = [name for name, kept, one in results if kept != one]
    assert not different
    assert all(one["lint"] == "done" for name, _, one in results if "x00" not in name)
    # and the kept ones have said nearly all of it, without being lost
    lines = service.log_lines()[before:]
    assert not any("ruff-server-lost" in line for line in lines)
    runs = sum('"run-done"' in line for line in lines)
    assert runs < len(todo) * 1.2, f"{runs} runs for {len(todo)} requests"
    assert not ruffs(started)


@client.one_good_of(3)
def test_a_warm_request_starts_no_ruff(service, tmp_path):
    warm(service)
    service.answer(new_code())
    with client.traced(service, "execve,execveat", tmp_path / "calls"):
        code = new_code()
        assert_right(service.answer(code), code)
    assert "/bin/ruff" not in (tmp_path / "calls").read_text()


@client.one_good_of(3)
def test_code_that_came_before_is_not_given_to_ruff_again(service):
    warm(service)
    code = new_code()
    first = service.answer(code)
    stopped = warm(service)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        second = service.answer(code)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert report(second) == report(first)
    assert boxes_of(service, second) == 1
    assert warm(service) == stopped


@client.one_good_of(3)
def test_ruffs_that_are_killed_cost_no_answer_and_come_back(service):
    first = warm(service)
    end = time.monotonic() + 4
    killed = set()

    def goes_on() -> bool:
        return time.monotonic() < end or len(killed) < 3 and time.monotonic() < end + 60

    def client_loop():
        while goes_on():
            code = new_code()
            assert_right(service.answer(code), code)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(client_loop) for _ in range(3)]
        while goes_on():
            for pid in ruffs(service):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
            time.sleep(0.15)
        for job in jobs:
            job.result()
    assert len(killed) > 2
    client.wait_until(lambda: len(ruffs(service) - killed) == 2, 30, "they are back")
    assert not first & ruffs(service)


@client.one_good_of(3)
def test_a_ruff_that_hangs_is_replaced_and_the_answer_comes_nevertheless(service):
    hang = warm(service)
    for pid in hang:
        os.kill(pid, signal.SIGSTOP)
    codes = [new_code() for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for code, answer in zip(codes, pool.map(service.answer, codes)):
            assert_right(answer, code)
    client.wait_until(lambda: len(ruffs(service) - hang) == 2, 30, "there are others")


BOMBS = {"brackets": "x = " + "(" * 3000 + "1" + ")" * 3000 + "\n",
         "blocks": "".join(" " * i + "if 1:\n" for i in range(99)) + " " * 99 + "x = 1\n",
         "lambdas": "x = " + "lambda: " * 2000 + "1\n",
         "assignments": "a=" * 300 + "1\n",
         "statements": "x=1;" * 20000 + "\n",
         "a line": "x = '" + "a" * 900_000 + "'\n"}


@pytest.mark.parametrize("name", BOMBS)
@client.one_good_of(3, told=False)  # that the others' lint is unavailable is what would be found
def test_what_would_take_a_ruff_down_disturbs_nobody(service, name):
    kept = warm(service)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        bomb = pool.submit(service.answer, BOMBS[name] + f"# {next(NUMBERS)}\n", timeout="1")
        others = 0
        while not bomb.done() or others < 5:
            code = new_code()
            answer = service.answer(code)
            assert_right(answer, code)
            assert boxes_of(service, answer) == 1
            others += 1
        answer = bomb.result()
    assert answer["lint"] in ("done", "unavailable")
    assert warm(service) == kept


@client.one_good_of(3)
def test_kept_ruffs_take_no_place_from_runs():
    with client.fresh_state() as state, client.Service(state, "--boxes", "1") as other:
        warm(other)
        code = new_code()
        assert_right(other.answer(code), code)
        sandbox = other.get("/health").json()["components"]["sandbox"]
        assert sandbox["boxes_max"] == 1
        client.wait_until(lambda: other.get("/health").json()["components"]["sandbox"]["boxes_busy"] == 0, 10,
                          "nothing runs")
        assert len(ruffs(other)) == 2


@client.one_good_of(3)
def test_kept_ruffs_keep_their_memory_and_do_not_preempt_one_another(service):
    for pid in warm(service):
        threads = {int(tid) for tid in os.listdir(f"/proc/{pid}/task")}
        assert {os.sched_getscheduler(tid) for tid in threads} == {os.SCHED_BATCH}
        assert b"dirty_decay_ms:-1" in pathlib.Path(f"/proc/{pid}/environ").read_bytes()


@client.one_good_of(3)
def test_a_strict_run_has_a_ruff_of_its_own(service):
    warm(service)
    code = new_code()
    answer = service.answer(code, isolation="strict")
    assert_right(answer, code)
    client.wait_until(lambda: boxes_of(service, answer) == 3, 5, "program, format and check had a box each")


@client.one_good_of(3)
def test_there_are_as_many_as_are_asked_for(service):
    with client.fresh_state() as state, client.Service(state, "--lint-servers", "1") as other:
        assert len(warm(other, 1)) == 1
        code = new_code()
        assert_right(other.answer(code), code)
    # and none without a service
    client.wait_until(lambda: not any(re.match(r"ruff\b", name) for name in other.pids().values()), 5, "it is gone")
