# SPDX-License-Identifier: MIT
# tests/run: seconds=900
"""Dialect 'pyexec': sessions whose files and packages are kept between runs, and whose tasks are asked for later."""

import collections
import concurrent.futures
import contextlib
import os
import pathlib
import signal
import sqlite3
import subprocess
import urllib.parse
import uuid

import pytest

import client
from test_keys import create, cuvette

UNDER_WAY = ("queued", "running")


class User:
    """One key, and a session of its own for each test that asks for one."""

    def __init__(self, service, key=None):
        self.service, self.headers = service, {"X-API-Key": key} if key else {}

    def post(self, path, body=None, **options):
        with self.service.client() as http:
            return http.post(path, json=body, headers=self.headers, **options)

    def get(self, path):
        return self.service.get(path, headers=self.headers)

    def task(self, path, **body) -> str:
        answer = self.post(path, body)
        assert answer.status_code == 202, answer.text + self.service.trouble()
        assert answer.headers["location"] == answer.json()["status_url"]
        return answer.json()["status_url"]

    def ended(self, url, seconds=90) -> dict:
        client.wait_until(lambda: self.get(url).json()["status"] not in UNDER_WAY, seconds, f"{url} has ended")
        return self.get(url).json()

    def execute(self, session, code, status="success") -> dict:
        found = self.ended(self.task("/execute", session_id=session, code=code))
        assert found["status"] == status, (found, self.service.trouble())
        return found

    def output(self, session, code) -> str:
        return self.execute(session, code)["output"]

    def upload(self, session, name, content: bytes, status=200):
        answer = self.post("/upload", data={"session_id": session, "ignored": "x"}, files={"file": (name, content)})
        assert answer.status_code == status, answer.text
        return answer.json()

    def terminate(self, session):
        answer = self.post("/terminate", {"session_id": session})
        assert answer.status_code == 200 and answer.json() == {"status": "terminated"}, answer.text


def tell(user, mark, task) -> dict:
    """Until it has ended."""
    def has_ended() -> bool:
        client.tell(mark)
        return user.get(task).json()["status"] not in UNDER_WAY
    client.wait_until(has_ended, 90, "it was told to go on, and has ended")
    return user.get(task).json()


LIST = ("import hashlib, os\nfor at, _, names in sorted(os.walk('.')):\n    for n in sorted(names):\n"
        "        p = os.path.join(at, n)\n        print(p[2:], hashlib.sha256(open(p, 'rb').read()).hexdigest()[:8])\n")


@pytest.fixture(scope="module")
def users():
    """Two keys of a service with little room for sessions."""
    with client.fresh_state() as state:
        keys = [create(state)[1] for _ in range(2)]
        limits = "size=1MiB,files=6,sessions=8,key_size=3MiB,timeout=120,memory=200MiB"
        with client.Service(state, LIMITS_SESSIONS=limits) as service:
            yield [User(service, key) for key in keys]


@pytest.fixture
def user(users):
    return users[0]


@pytest.fixture
def session(users):
    name = uuid.uuid4().hex
    yield name
    for user in users:
        user.terminate(name)


def test_a_task_is_accepted_and_asked_for(user, session):
    answer = user.post("/execute", {"session_id": session, "code": "import sys\nprint(6 * 7)\nsys.exit(3)", "other": 1})
    assert answer.status_code == 202
    task = answer.json()["task_id"]
    assert answer.json() == {"status": "execute_queued", "task_id": task, "status_url": f"/status/execute/{task}"}
    assert task.startswith(f"exec-{session}-") and len(task) == len(session) + 14
    found = user.ended(answer.json()["status_url"])
    assert found["status"] == "error" and found["output"] == "42\n" and found["exit_code"] == 3
    assert found["errors"] == "" and found["error"] is None and found["execution_time"] > 0
    assert "SystemExit" not in found["errors"] and user.get(f"/status/install/{task}").status_code == 404


def test_files_are_kept_between_runs(user, session):
    assert user.upload(session, "data.bin", bytes(range(256))) == {"status": "uploaded", "filename": "data.bin", "size": 256}
    user.upload(session, "sub/in.txt", b"in")
    code = ("import os, pathlib\nassert open('data.bin', 'rb').read() == bytes(range(256))\n"
            "assert open('sub/in.txt').read() == 'in'\nos.remove('sub/in.txt')\n"
            "pathlib.Path('a/b/.c').mkdir(parents=True)\nopen('a/b/.c/.d', 'wb').write(b'\\0\\xff')\n"
            "open('.top', 'w').write('')\nos.symlink('/etc/passwd', 'link')\n")
    assert user.execute(session, code)["files_not_kept"] == [
        {"name": "link", "reason": "a link, a pipe, a socket or a device"}]
    left = user.output(session, LIST).split()
    assert left[::2] == [".top", "data.bin", "main.py", "a/b/.c/.d"], "a deleted file is gone, a hidden one is not"
    # Also what a run left that did not end well.
    user.execute(session, "open('late', 'w').write('x')\nraise SystemExit(1)", "error")
    assert user.output(session, "print(open('late').read(), open('a/b/.c/.d', 'rb').read())") == "x b'\\x00\\xff'\n"


def test_runs_of_a_session_take_turns_in_order(user, session):
    code = "import os\nopen('log', 'a').write('{} ')\nprint(open('log').read())"
    tasks = [user.task("/execute", session_id=session, code=code.format(i)) for i in range(6)]
    found = [user.ended(task)["output"].split() for task in tasks]
    assert found == [[str(n) for n in range(i + 1)] for i in range(6)]


def test_a_file_may_be_called_as_the_program_is(user, session):
    user.upload(session, "main.py", b"x = 'mine'\n")
    assert user.output(session, "import main\nprint(main.x)") == "mine\n"
    user.execute(session, "open('main.py', 'w').write('x = 2')")
    assert user.output(session, "import os\nprint(sorted(os.listdir()))\nimport main\nprint(main.x)") == (
        "['main-1.py', 'main.py']\n2\n"), "what Python compiled is not kept"


@pytest.mark.parametrize("name", ["..", ".", "/", "../../etc", "$(id)", "a//b", "a b%2F?#", "'; DROP TABLE session",
                                  "ä" * 128, "\u202e\n"])
def test_any_name_is_a_session_and_none_a_path(user, name):
    user.upload(name, "f", name.encode())
    url = user.task("/execute", session_id=name, code="print(open('f').read(), end='')")
    assert user.ended(url)["output"] == name
    assert urllib.parse.unquote(url).startswith(f"/status/execute/exec-{name}-")
    user.terminate(name)
    user.terminate(name)


@pytest.mark.parametrize("path, body, status", [
    ("/execute", {"session_id": "", "code": "1"}, 422), ("/execute", {"session_id": 5, "code": "1"}, 422),
    ("/execute", {"session_id": "x" * 129, "code": "1"}, 422), ("/execute", {"session_id": "a\0b", "code": "1"}, 422),
    ("/execute", {"session_id": "x" * 2000000, "code": "1"}, 422), ("/install", {"session_id": "x" * 10000000}, 413),
    ("/execute", {"session_id": "a", "code": " \n"}, 422), ("/execute", {"session_id": "a", "code": ["1"]}, 422),
    ("/install", {"packages": ["six"]}, 422), ("/install", {"session_id": "a"}, 422), ("/install", [], 422),
    ("/install", {"session_id": "a", "packages": []}, 422), ("/install", {"session_id": "a", "packages": "six"}, 422),
    ("/install", {"session_id": "a", "packages": ["six\n--index-url http://127.0.0.1"]}, 422),
    ("/install", {"session_id": "a", "packages": ["-r x"]}, 422), ("/install", {"session_id": "a", "packages": ["a\\"]}, 422),
    ("/install", {"session_id": "a", "packages": [" # six"]}, 422), ("/install", {"session_id": "a", "packages": [6]}, 422),
    ("/install", {"session_id": "a", "packages": ["./six"]}, 422), ("/install", {"session_id": "a", "packages": [""]}, 422),
    ("/install", {"session_id": "a", "packages": ["six"] * 501}, 422),
    ("/terminate", {}, 422), ("/terminate", {"session_id": "x" * 129}, 422)])
def test_what_is_wrong_with_a_body_is_said(user, path, body, status):
    answer = user.post(path, body)
    assert answer.status_code == status and list(answer.json()) == ["detail"], answer.text


def test_what_is_no_body_is_refused(user):
    for path in ("/install", "/terminate"):
        for body in (b"", b"{", b'{"session_id": "a", "session_id": "b"}', b'"\\ud800"', b"NaN", b"[" * 100):
            answer = user.post(path, content=body)
            assert answer.status_code in (411, 422) and list(answer.json()) == ["detail"], answer.text
    assert user.post("/upload", {"session_id": "a"}).status_code == 422
    assert user.post("/upload", data={"session_id": "a"}).status_code == 415
    assert user.post("/upload", files={"session_id": (None, "a")}).status_code == 422
    assert user.post("/upload", files={"file": ("x", b"x")}).status_code == 422
    assert user.post("/upload", files={"session_id": (None, "x" * 129), "file": ("x", b"x")}).status_code == 422
    for name in ("/etc/passwd", "../x", "a/../b", "a//b", "a\\b", "x" * 600):
        answer = user.post("/upload", files={"session_id": (None, "a"), "file": (name, b"x")})
        assert answer.status_code in (400, 422) and "detail" in answer.json(), (name, answer.text)
    for path in ("/status/execute/exec-no-00000000", "/status/execute/..%2F..%2Fetc", "/status/install/install-no"):
        assert user.get(path).status_code == 404 and list(user.get(path).json()) == ["detail"]
    user.terminate("a")


@pytest.mark.parametrize("task, status", [("x" * 640, 404), ("%F3%99%A4%A4" * 160, 404), ("%2E%2E", 404), ("", 404),
                                          ("x" * 1024, 400), ("%FF", 400)])
def test_what_can_be_no_task_is_refused_in_the_words_of_the_dialect(user, task, status):
    for kind in ("execute", "install"):
        answer = user.get(f"/status/{kind}/{task}")
        assert answer.status_code == status and list(answer.json()) == ["detail"], answer.text


def test_two_keys_share_nothing(users, session):
    one, other = users
    one.upload(session, "secret", b"one's")
    other.upload(session, "theirs", b"other's")
    assert one.output(session, "import os\nprint(sorted(os.listdir()))") == "['main.py', 'secret']\n"
    task = one.task("/execute", session_id=session, code="print('mine')")
    assert other.get(task).status_code == 404 and one.get(task).status_code == 200
    other.terminate(session)
    assert one.output(session, "print(open('secret').read())") == "one's\n"
    nobody = User(one.service)
    for answer in (nobody.post("/install", {"session_id": "a", "packages": ["six"]}), nobody.get(task),
                   nobody.post("/execute", {"session_id": "a", "code": "1"}), nobody.post("/terminate", {"session_id": "a"}),
                   nobody.post("/upload", data={"session_id": "a"}, files={"file": ("x", b"x")})):
        assert answer.status_code == 401 and list(answer.json()) == ["detail"] and "WWW-Authenticate" in answer.headers
    key = cuvette(one.service.state, "create", "--name", uuid.uuid4().hex, "--scope", "environments").strip()
    client.wait_until(lambda: User(one.service, key).get(task).status_code == 403, 10, "the key may not run anything")


def test_a_session_has_bounds(user, session):
    user.upload(session, "large", b"x" * (1 << 20))
    assert "room" in user.upload(session, "more", b"x", 413)["detail"]
    user.upload(session, "large", b"y" * (1 << 20))  # in place of the other
    user.upload(session, "large", b"")
    for i in range(5):
        user.upload(session, str(i), b"")
    assert "6 files" in user.upload(session, "5", b"", 413)["detail"]
    user.execute(session, "import os\nfor i in range(5): os.remove(str(i))")
    user.upload(session, "0", b"")
    assert "folder" in user.upload(session, "0/x", b"", 422)["detail"]
    # A run has no more room than is left, and what can't be kept all the same is named.
    assert "File too large" in user.execute(session, "open('f', 'wb').write(bytes(8 << 20))", "error")["errors"]
    found = user.execute(session, "import os\nfor n in os.listdir(): os.remove(n)\nfor n in 'abc': os.truncate(os.open(n, os.O_CREAT | os.O_RDWR), 900000)")
    assert [f["name"] for f in found["files_not_kept"]] == ["b", "c"]
    assert user.output(session, "import os\nprint(sorted(os.listdir()))") == "['a', 'main.py']\n"


def test_what_a_run_did_not_touch_stays_when_not_all_can_be_kept(user, session):
    user.upload(session, "z", b"z")
    found = user.execute(session, "for i in range(7): open(f'a{i}', 'w').write('x')")
    assert [f["name"] for f in found["files_not_kept"]] == ["a5", "a6", "main.py", "z"], found
    assert all(f["reason"].startswith("there were") for f in found["files_not_kept"]), found
    left = user.output(session, LIST).split()[::2]
    assert left == ["a0", "a1", "a2", "a3", "a4", "main.py", "z"]


def test_uploads_count_for_their_key(users, session):
    service = users[0].service
    user = User(service, cuvette(service.state, "create", "--name", uuid.uuid4().hex, "--rate", "2").strip())
    client.wait_until(lambda: user.get("/status/execute/exec-no-00000000").status_code == 404, 10, "the key is known")
    user.upload(session, "f", b"x")
    user.upload(session, "f", b"x")
    for _ in range(20):  # one more is free after half a minute
        answer = user.post("/upload", data={"session_id": session}, files={"file": ("f", b"x")})
        if answer.status_code != 200:
            break
    assert answer.status_code == 429 and "a minute" in answer.json()["detail"]
    user.terminate(session)


def test_a_key_has_bounds(users):
    user = users[1]
    names = [uuid.uuid4().hex for _ in range(9)]
    for name in names[:8]:
        user.upload(name, "f", b"")
    for answer in (user.post("/execute", {"session_id": names[8], "code": "1"}),
                   user.post("/upload", data={"session_id": names[8]}, files={"file": ("x", b"x")})):
        assert answer.status_code == 429 and "8 sessions" in answer.json()["detail"] and "Retry-After" in answer.headers
    users[0].upload(names[8], "f", b"another key's")
    users[0].terminate(names[8])
    for name in names[:3]:
        user.upload(name, "f", b"x" * (1 << 20))
    user.upload(names[3], "f", b"x", 413)
    user.terminate(names[0])
    user.upload(names[3], "f", b"x")
    for name in names:
        user.terminate(name)


def test_terminate_ends_what_is_under_way_and_what_waits(user, session):
    code = "import time\nopen('begun', 'w')\ntime.sleep(600)"
    running = user.task("/execute", session_id=session, code=code)
    waiting = user.task("/execute", session_id=session, code="print(1)")
    client.wait_until(lambda: user.get(running).json()["status"] == "running", 60, "it runs")
    user.terminate(session)
    assert user.ended(waiting)["status"] == "cancelled" and user.ended(running)["status"] == "cancelled"
    assert user.output(session, "import os\nprint(os.listdir())") == "['main.py']\n", "it is a new one"


def test_what_is_uploaded_during_a_run_wins(user, session):
    user.upload(session, "f", b"before")
    mark = client.new_mark()
    code = client.waiting(mark, "open('f', 'w').write('of the run')\nopen('g', 'w').write('g')\nprint('x' * 100000, flush=True)")
    task = user.task("/execute", session_id=session, code=code)
    client.wait_until(lambda: client.processes_with(mark), 60, "it runs")
    user.upload(session, "f", b"uploaded")
    user.upload(session, "h", b"h")
    assert tell(user, mark, task)["status"] == "success"
    assert user.output(session, "print(open('f').read(), open('g').read(), open('h').read())") == "uploaded g h\n"


def test_limits_are_the_operators(user, session):
    assert user.execute(session, "x = bytearray(400 << 20)", "out-of-memory")["exit_code"] == 137


def test_installing(service):
    user, session = User(service), uuid.uuid4().hex
    answer = user.post("/install", {"session_id": session, "packages": ["iniconfig==2.0.0", "six"]})
    assert answer.json() == {"status": "install_queued", "task_id": f"install-{session}",
                             "status_url": f"/status/install/install-{session}"}
    found = user.ended(answer.json()["status_url"], 300)
    assert found["status"] == "success" and found["exit_code"] == 0, found
    assert [line.split("==")[0] for line in found["output"].splitlines()] == ["iniconfig", "six"]
    assert user.output(session, "import six, iniconfig\nprint('both')") == "both\n"
    found = user.ended(user.task("/install", session_id=session, packages=["iniconfig!=2.0.0"]), 300)
    assert found["status"] == "error" and found["exit_code"] == 1, found
    assert found["error"]["code"] == "requirements-unresolvable" and "iniconfig" in found["errors"]
    assert user.output(session, "import six\nprint('still')") == "still\n"
    user.terminate(session)
    assert "ModuleNotFoundError" in user.execute(session, "import six", "error")["errors"]
    user.terminate(session)


def test_what_waits_and_what_is_kept_outlives_a_kill_and_what_had_begun_is_retryable():
    with client.fresh_state() as state, client.Service(state) as service:
        user = User(service)
        user.upload("s", "f", b"kept")
        begun = user.task("/execute", session_id="s", code="open('f', 'w').write('lost')\nimport time\ntime.sleep(600)")
        waiting = user.task("/execute", session_id="s", code="print(open('f').read())")
        client.wait_until(lambda: user.get(begun).json()["status"] == "running", 60, "it runs")
        os.kill(service.pid_of("cuvette-manager"), signal.SIGKILL)

        def is_back() -> bool:
            with contextlib.suppress(Exception):
                return service.healthy()
            return False
        client.wait_until(is_back, 60, "the manager is back")
        found = user.ended(begun)
        assert found["status"] == "failed" and found["error"]["code"] == "interrupted" and found["exit_code"] is None
        assert user.ended(waiting)["output"] == "kept\n"


def ask(state, sql) -> list:
    with contextlib.closing(sqlite3.connect(f"file:{state}/manager/service.db?mode=ro", uri=True)) as db:
        return [row[0] for row in db.execute(sql)]


def test_an_idle_session_expires_and_one_with_a_task_does_not():
    mark = client.new_mark()
    names = "SELECT name FROM session"
    with client.fresh_state() as state, client.Service(state, LIMITS_SESSIONS="idle=1,timeout=120") as service:
        user, busy = User(service), None

        # Where all stands still for a while, a session may have expired before there is anything of it.
        def is_there() -> bool:
            nonlocal busy
            if not busy or user.get(busy).json()["status"] not in UNDER_WAY:
                busy = user.task("/execute", session_id="busy", code=client.waiting(mark))
            return bool(client.processes_with(mark))
        client.wait_until(is_there, 60, "it runs")
        client.wait_until(lambda: user.post("/upload", data={"session_id": "idle"}, files={"file": ("f", b"x")})
                          .status_code == 200, 60, "it was uploaded")
        # Also without anybody who asks for something.
        client.wait_until(lambda: ask(state, names) == ["busy"], 60, "the idle one has gone")
        assert tell(user, mark, busy)["status"] == "success"
        client.wait_until(lambda: ask(state, names) == [], 60, "the other one has gone")
        assert ask(state, "SELECT COUNT(*) FROM session_file") == [0]


def attack(service, key, names) -> collections.Counter:
    """An upload for each name, on one connection after the other; how often which status came."""
    found, s = collections.Counter(), None
    for name in names:
        body = client.part("session_id", name.encode()) + client.part("file", b"x", "f") + client.END
        data, answer = client.request(body, path="/upload", headers=f"X-API-Key: {key}\r\n"), None
        while not answer or answer.status is None:  # a connection may have been closed
            if not s or answer:
                s = s and s.close() or service.connect(60)
            with contextlib.suppress(ConnectionError):
                s.sendall(data)
            answer = client.read_answer(s)
        found[answer.status] += 1
        if answer.status == 429:
            assert "1000 sessions" in answer.json()["detail"] and "retry-after" in answer.headers, answer.body
    s.close()
    return found


# As many as this take minutes; tests/unit/test_sessions_many.c and test_a_key_has_bounds have the short form.
if os.environ.get("CUVETTE_TEST_FULL"):
    def test_a_hundred_thousand_sessions_hinder_nobody():
        with client.fresh_state() as state:
            one, other = create(state)[1], create(state)[1]
            with client.Service(state) as service, contextlib.closing(sqlite3.connect(state / "manager/service.db")) as db:
                with db:  # what a hundred others have, with a file each
                    rows = [(i + 1, f"of-{i % 100}", f"name-{i}", 4102444800) for i in range(100000)]
                    db.executemany("INSERT INTO session (id, tenant, name, used_s, bytes, files) VALUES (?, ?, ?, ?, 1, 1)", rows)
                    db.execute("INSERT INTO session_file (session, name, clock, hash, bytes, body) "
                               "SELECT id, 'f', 1, zeroblob(32), 1, 'x' FROM session")
                with concurrent.futures.ThreadPoolExecutor(2) as pool:
                    halves = [pool.submit(attack, service, one, [f"{n}-{i}" for i in range(50000)]) for n in range(2)]
                    rounds = 0
                    while not rounds or not all(half.done() for half in halves):
                        user, name = User(service, other), uuid.uuid4().hex
                        user.upload(name, "f", b"mine")
                        assert user.output(name, "print(open('f').read())") == "mine\n"
                        user.terminate(name)
                        rounds += 1
                assert sum((half.result() for half in halves), collections.Counter()) == {200: 1000, 429: 99000}
                resident = pathlib.Path(f"/proc/{service.pid_of('cuvette-manager')}/status").read_text()
                assert int(resident.split("VmHWM:")[1].split()[0]) < 128 << 10, resident


def test_settings_that_cannot_be_are_said(tmp_path):
    done = subprocess.run([client.BIN / "cuvette", "serve", "--state", tmp_path, "--limits-sessions", "size=64MiB"],
                          capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "maximum" in done.stderr, done.stderr
