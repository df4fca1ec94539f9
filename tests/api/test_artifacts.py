# SPDX-License-Identifier: MIT
"""What a run leaves behind and is given back: by patterns, within limits, however the
program tries to have something else given."""

import base64
import concurrent.futures
import hashlib
import itertools
import time

import pytest

# Two runs of an environment are enough to have its zygote, then the rest comes from there.
PATHS = {"cold": "strict", "warm": "auto"}


@pytest.fixture(params=PATHS)
def isolation(request, service):
    if request.param == "warm":
        for _ in range(50):
            if service.answer("pass", lint="off")["path"] == "pool":
                break
    return PATHS[request.param]


def run(service, code, patterns, **fields) -> dict:
    answer = service.answer(code, artifacts=patterns, lint="off", **fields)
    for item in answer["artifacts"]:
        item["bytes"] = base64.b64decode(item["content"], validate=True)
        assert len(item["bytes"]) == item["size"]
        assert hashlib.sha256(item["bytes"]).hexdigest() == item["sha256"]
    return answer


def names(answer) -> list[str]:
    return [item["name"] for item in answer["artifacts"]]


def left(answer) -> dict:
    return {item["name"]: item["reason"] for item in answer["artifacts_left_out"]}


def test_files_come_back(service, isolation):
    code = """\
import os, pathlib
pathlib.Path("plot.png").write_bytes(b"\\x89PNG\\r\\n\\x1a\\n" + bytes(range(256)))
pathlib.Path("out/deep/er").mkdir(parents=True)
pathlib.Path("out/a.csv").write_text("a,b\\n")
pathlib.Path("out/deep/er/b.json").write_text("{}")
pathlib.Path("secret").write_text("not asked for")
pathlib.Path("closed.png").write_bytes(b"x")
os.chmod("closed.png", 0o600)
"""
    for _ in range(3):
        answer = run(service, code, ["*.png", "out/**"], isolation=isolation)
        assert answer["status"] == "success", answer
        assert [(i["name"], i["media_type"]) for i in answer["artifacts"]] == [
            ("closed.png", "text/plain"), ("out/a.csv", "text/csv"), ("out/deep/er/b.json", "application/json"),
            ("plot.png", "image/png")]
        assert answer["artifacts"][3]["bytes"] == b"\x89PNG\r\n\x1a\n" + bytes(range(256))
        assert left(answer) == {}


def test_all_paths_are_meant(service):
    seen, begun = set(), time.monotonic()
    # As long as it takes to have a zygote, on a machine that may stand still meanwhile.
    for isolation in itertools.chain(["strict"], itertools.repeat("auto")):
        answer = run(service, "open('a', 'w').write('x')", ["a"], isolation=isolation)
        assert names(answer) == ["a"], answer
        seen.add(answer["path"])
        if seen >= {"cold", "pool"} or time.monotonic() - begun > 120:
            break
    assert seen >= {"cold", "pool"}, seen


def test_each_run_has_its_own(service):
    """Many at once: from the pool, forked on demand, and cold."""
    with concurrent.futures.ThreadPoolExecutor(8) as workers:
        jobs = [workers.submit(run, service, f"open('a', 'w').write('{i}' * 1000)", ["a"]) for i in range(24)]
    for i, job in enumerate(jobs):
        assert [item["bytes"] for item in job.result()["artifacts"]] == [(str(i) * 1000).encode()], job.result()


def test_nothing_is_asked_for(service):
    answer = service.answer("open('a.png', 'w')", lint="off")
    assert answer["artifacts"] == [] and answer["artifacts_left_out"] == []


@pytest.mark.parametrize("ending, status", [("raise SystemExit(3)", "error"), ("import os; os.kill(os.getpid(), 9)", "killed"),
                                            ("while True: pass", "timeout"), ("x = 'x' * (1 << 30)", "out-of-memory")])
def test_however_it_ended(service, isolation, ending, status):
    answer = run(service, f"open('a', 'w').write('x')\n{ending}", ["a"], isolation=isolation, timeout="3" if status == "timeout" else "60",
                 memory="64MiB")
    assert answer["status"] == status and names(answer) == ["a"]


def test_what_is_no_file_is_told(service, isolation):
    code = """\
import os, socket
os.symlink("/etc/passwd", "link.out")
os.symlink("..", "up.out")
os.mkfifo("pipe.out")
s = socket.socket(socket.AF_UNIX); s.bind("sock.out")
os.mkdir("folder")
open("folder/x.out", "w").write("x")
os.symlink("/etc", "etc")
os.link("folder/x.out", "hard.out")
open("shut.out", "w").write("x"); os.chmod("shut.out", 0)
os.mkdir("shut"); open("shut/x.out", "w"); os.chmod("shut", 0)
open(b"\\xff.out", "w")
open("new\\nline.out", "w")
"""
    answer = run(service, code, ["*.out", "folder", "etc/*", "**/*.out"], isolation=isolation)
    assert names(answer) == ["hard.out"]
    reasons = left(answer)
    assert reasons["link.out"] == reasons["pipe.out"] == reasons["sock.out"] == "not-a-file"
    assert reasons["folder"] == "folder" and reasons["shut.out"] == "unreadable"
    assert "root:" not in str(answer)


def test_sizes_and_counts(service, isolation):
    code = """\
open("a.out", "wb").write(b"x" * 1000)
with open("b.out", "wb") as f: f.truncate(40 << 20)
for i in range(30): open(f"c{i:02}.out", "w").write("y")
"""
    answer = run(service, code, ["*.out"], isolation=isolation, artifacts_size="1MiB", artifacts_count="5")
    assert names(answer) == ["a.out", "c00.out", "c01.out", "c02.out", "c03.out"]
    assert left(answer)["b.out"] == "size" and left(answer)["c29.out"] == "count"
    assert len(answer["artifacts_left_out"]) == 27


def test_more_than_can_be_looked_at(service):
    code = "for i in range(3000): open(f'f{i}', 'w')\n"
    answer = run(service, code, ["*"])
    assert len(names(answer)) == 16
    reasons = [item["reason"] for item in answer["artifacts_left_out"]]
    assert len(reasons) == 101 and reasons[-1] == "more"


def test_deep_folders_end(service):
    code = "import os\nfor i in range(200):\n    os.mkdir('d'); os.chdir('d'); open('f', 'w').close()\n"
    answer = run(service, code, ["**/f"])
    assert answer["artifacts_left_out"][-1]["reason"] == "more"


def test_who_stays_behind_is_dead(service, isolation):
    """What a child of the program writes on comes to an end before it is read."""
    code = """\
import os, time
if os.fork() == 0:
    os.setsid()
    while True:
        with open("grow.out", "ab") as f: f.write(b"x" * 4096)
        os.replace("grow.out", "other.out"); os.symlink("/etc/passwd", "grow.out"); os.unlink("grow.out")
time.sleep(0.2)
"""
    answer = run(service, code, ["*.out"], isolation=isolation)
    assert set(names(answer)) <= {"grow.out", "other.out"} and "root:" not in str(answer)


def test_uploaded_files_count_too(service):
    parts = [("requirements", ("requirements.txt", b"# none\n")), ("code", ("main.py", b"open('a','a').write('2')")),
             ("files", ("a", b"1"))]
    answer = service.post(parts, {"artifacts": '["a"]', "lint": "off"}).json()
    assert base64.b64decode(answer["artifacts"][0]["content"]) == b"12"


@pytest.mark.parametrize("patterns", ['"*"', "[1]", '["/etc/*"]', '["../*"]', '["a//b"]', '["[a"]', '[""]', "[\"a\\u0000\"]",
                                      '["' + "x" * 256 + '"]', str(["a"] * 33).replace("'", '"'), "*.png"])
def test_patterns_that_are_none(service, patterns):
    response = service.run("pass", artifacts=patterns)
    assert response.status_code == 422 and response.json()["error"]["code"] == "field-invalid"


def test_many_stars(service):
    code = "open('a' * 200, 'w')\n"
    assert names(run(service, code, ["*a" * 100 + "b", "**/" * 15 + "b"])) == []
    assert len(names(run(service, code, ["*a" * 100]))) == 1
