# SPDX-License-Identifier: MIT
"""The clients of examples/, each run as a newcomer would."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import client

CLIENTS = client.ROOT / "examples/clients"
PYTHON = [sys.executable, CLIENTS / "client.py"]  # the one that has httpx
FAILING = "import sys\nprint('e', file=sys.stderr)\nsys.exit(3)\n"


def call(service, *words, stdin="", **environment):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CUVETTE_") and not k.lower().endswith("_proxy")}
    return subprocess.run([str(word) for word in words], input=stdin, capture_output=True, text=True, timeout=300,
                          env={**kept, "CUVETTE_URL": service.url, **environment})


@pytest.fixture
def failing(tmp_path):
    tmp_path.joinpath("main.py").write_text(FAILING)
    tmp_path.joinpath("requirements.txt").write_text("# none\n")
    return tmp_path


@client.one_good_of(3)  # they give their runs five or ten seconds
def test_curl(service):
    done = call(service, CLIENTS / "curl.sh", stdin="1 2 3.5\n")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["stdout"] == "6.5\n" and [a["name"] for a in answer["artifacts"]] == ["sum.txt"]


@client.one_good_of(3)
def test_python(service, failing, tmp_path):
    failing.joinpath("requirements.txt").write_text("# none\n")
    done = call(service, *PYTHON, stdin="1 2 3.5\n", OUT=str(tmp_path / "out"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "6.5\n", "")
    assert tmp_path.joinpath("out/sum.txt").read_text() == "6.5\n"
    done = call(service, *PYTHON, failing)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "e\n")
    failing.joinpath("requirements.txt").write_text("-e .\n")
    done = call(service, *PYTHON, failing)
    assert done.returncode == 1 and done.stderr.startswith("requirement-unsupported: ")


@client.one_good_of(3)
def test_javascript(service, failing):
    assert shutil.which("node"), "node is not installed (make check-deps)"
    failing.joinpath("requirements.txt").write_text("# none\n")
    done = call(service, CLIENTS / "client.mjs", stdin="1 2 3.5\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "6.5\n", "")
    done = call(service, CLIENTS / "client.mjs", failing)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "e\n")
    failing.joinpath("requirements.txt").write_text("-e .\n")
    done = call(service, CLIENTS / "client.mjs", failing)
    assert done.returncode == 1 and done.stderr.startswith("requirement-unsupported: ")


@client.one_good_of(3)
def test_grading(service, tmp_path):
    page = tmp_path / "summary"
    page.unlink(missing_ok=True)
    done = call(service, CLIENTS / "grade.sh", CLIENTS / "main.py", CLIENTS / "cases", GITHUB_STEP_SUMMARY=str(page))
    assert (done.returncode, done.stdout) == (0, "3 of 3 passed\n"), done.stderr
    assert page.read_text().count("| passed |") == 3
    program = tmp_path / "main.py"
    program.write_text("print(sum(map(int, input().split())))\n")  # neither fractions nor nothing
    done = call(service, CLIENTS / "grade.sh", program, CLIENTS / "cases", GITHUB_STEP_SUMMARY=str(page))
    assert done.returncode == 1 and done.stdout.endswith("1 of 3 passed\n")
    assert f"::error file={program},title=none::error\n" in done.stdout
    done = call(service, CLIENTS / "grade.sh", CLIENTS / "main.py", tmp_path)
    assert done.returncode == 2 and "cases" in done.stderr  # a folder without any


@client.one_good_of(3)
def test_keys_are_sent():
    with client.fresh_state() as state, client.Service(state, API_KEY="the-key") as running:
        for command in ([CLIENTS / "curl.sh"], PYTHON, [CLIENTS / "client.mjs"]):
            refused = call(running, *command, stdin="1")
            assert refused.returncode != 0 and "unauthorized" in refused.stdout + refused.stderr
            done = call(running, *command, stdin="1", CUVETTE_KEY="the-key")
            assert done.returncode == 0, done.stderr


def test_all_of_them_are_in_the_readme():
    text = (client.ROOT / "examples/README.md").read_text()
    names = [path.name for path in CLIENTS.iterdir() if os.access(path, os.X_OK) and path.is_file()]
    assert len(names) == 5 and all(f"`{name}" in text for name in names)
    assert "examples/README.md#clients" in (client.ROOT / "README.md").read_text()


@client.one_good_of(3)
def test_a_session(service, tmp_path):
    program, data = tmp_path / "program.py", tmp_path / "data.txt"
    data.write_text("in the session\n")
    program.write_text("print(open('data.txt').read(), end='')\nopen('left', 'w').write('kept')\n")
    done = call(service, CLIENTS / "session.sh", program, data, SESSION="an example")
    assert done.returncode == 0 and done.stdout == "in the session\n", done.stderr
    program.write_text("import sys\nprint(open('left').read())\nsys.exit(3)\n")
    done = call(service, CLIENTS / "session.sh", program, SESSION="an example")
    assert done.returncode == 3 and done.stdout == "kept\n", done.stderr
