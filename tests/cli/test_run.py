# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""`cuvette run`, attached to a service and with processes of its own: the same
program must look the same either way."""

import concurrent.futures
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

import shell

HELLO = ("-r", shell.HELLO / "requirements.txt", "--exclude-newer", shell.DATE, shell.HELLO / "main.py")


@pytest.fixture(params=["attached", "standalone"])
def run(request, service, state):
    """run(words…) → the finished process; run.start(words…) → a running one."""
    flags = ["run", "--state", state] + (["--standalone"] if request.param == "standalone" else [])

    def go(*words, **options):
        return shell.cuvette(*flags, *words, **options)

    go.start = lambda *words, **options: shell.start(*flags, *words, **options)
    go.kind = request.param
    return go


def test_hello(run):
    done = run(*HELLO, "--", "one", "--two")
    assert done.returncode == 0, done.stderr
    assert "hello from requests 2.31.0 on Python 3.11" in done.stdout
    assert "user 1000, folder /box, arguments ['one', '--two']" in done.stdout
    assert "there is no network in here" in done.stdout
    assert done.stderr == "", "no progress where stderr is no terminal"


def test_a_lock_is_written_and_used_again(run, tmp_path):
    out, again = tmp_path / "pylock.toml", tmp_path / "again.toml"
    first = run("--json", "--lock-out", out, *HELLO)
    environment = json.loads(first.stdout)["environment"]
    assert out.read_text() == environment["lock"]
    for words in (("--lock", out), ("--env", environment["digest"])):
        done = run(*words, "--lock-out", again, shell.HELLO / "main.py")
        assert done.returncode == 0 and "hello from requests 2.31.0" in done.stdout, done.stderr
        assert again.read_text() == out.read_text()
    both = run("--lock", out, "--env", environment["digest"], shell.HELLO / "main.py")
    assert both.returncode == 2 and "give one of --requirements, --lock and --env" in both.stderr
    unknown = run("--env", "0" * 32, shell.HELLO / "main.py")
    assert unknown.returncode == 2 and "environment-unknown" in unknown.stderr
    out.write_text(out.read_text().replace("lock-version = \"1", "lock-version = \"7"))
    other = run("--lock", out, shell.HELLO / "main.py")
    assert other.returncode == 2 and f"{out}:1:16: locks of version 7.0 can't be read" in other.stderr


def test_streams_are_kept_apart(run):
    main = shell.program("import sys\nprint('out', flush=True)\nprint('err', file=sys.stderr)\nsys.stdout.buffer.write(b'\\xff\\0')\n")
    done = run(main)
    assert done.returncode == 0 and done.stderr == "err\n"
    assert done.stdout == "out\n\ufffd\0"


def test_stdin(run):
    main = shell.program("import sys\nprint(len(sys.stdin.buffer.read()))\n")
    assert run(main).stdout == "0\n"
    assert run(main, input=b"x" * 300000).stdout == "300000\n"
    assert run("--stdin", main, main, input=b"not this").stdout == f"{os.path.getsize(main)}\n"
    too_much = run(main, input=b"x" * (16 * 1024 * 1024 + 1))
    assert too_much.returncode == 2 and "stdin is larger than 16777216 bytes" in too_much.stderr


@pytest.mark.parametrize("text, flags, status, said", [
    ("import sys; sys.exit(7)", (), 7, ""),
    ("raise ValueError('no')", (), 1, "ValueError: no"),
    ("def f(:", (), 1, "SyntaxError"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", (), 139, "cuvette: ended by signal 11"),
    ("import time; time.sleep(60)", ("--timeout", "1.5"), 124, "cuvette: stopped after 1.500 s of wall time"),
    ("while True: pass", ("--timeout", "60", "--cpu-time", "1"), 124, "cuvette: stopped after 1.000 s of CPU time"),
    ("x = bytearray(1 << 30)", ("--memory", "128MiB"), 137, "cuvette: out of memory"),
    ("while True: print('x' * 1000)", ("--stdout-limit", "5000"), 153, "cuvette: stopped: more than 5000 bytes on stdout"),
])
def test_exit_statuses(run, text, flags, status, said):
    if status == 137 and not shell.makes_cgroups():
        status, said = 1, "MemoryError"  # the second line of defence, the process's own limit
    done = run(*flags, shell.program(text))
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    if status in (1, 7):
        assert "cuvette: " not in done.stderr, "the program's own status needs no word of ours"


@pytest.mark.parametrize("lines, said", [
    ("requests\nnot a requirement!\n", r":2:\d+: .*\(requirement-invalid\)\n    not a requirement!\n +\^"),
    ("-e .\n", r":1:\d+: .*\(requirement-unsupported\)"),
])
def test_a_refused_line_is_shown(run, lines, said):
    done = run("-r", shell.requirements(lines), shell.program("print()"))
    assert done.returncode == 2 and re.search(said, done.stderr), done.stderr
    assert done.stdout == ""


def test_unresolvable(run):
    done = run("-r", shell.requirements("requests==99.99\n"), "--exclude-newer", shell.DATE, shell.program("print()"))
    assert done.returncode == 2 and "(requirements-unresolvable)" in done.stderr, done.stderr


def test_bad_input_starts_nothing(state):
    """Refused before any process is made: state is not even looked at."""
    ok = shell.program("print()")
    empty, bad = shell.program(""), shell.program("")
    with open(bad, "wb") as file:
        file.write(b"print('\xff')\n")
    for words, said in [
        (("/nonexistent/main.py",), "can't be read"),
        ((empty,), "(code-empty)"),
        ((bad,), "(code-encoding)"),
        (("--timeout", "301", ok), "(limit-exceeded)"),
        (("--timeout", "soon", ok), "(field-invalid)"),
        (("--memory", "0", ok), "(field-invalid)"),
        (("--exclude-newer", "yesterday", ok), "(field-invalid)"),
        (("--stdin", "/nonexistent", ok), "can't be read"),
        (("-r", "/nonexistent", ok), "can't be read"),
        ((ok, *["x"] * 300), "(too-large)"),
        (("--allow-degraded", "seccomp", ok), "nothing runs without"),
        (("--no-such-option", ok), "there is no such option"),
        (("--isolation", "none", ok), "--isolation must be `auto`, or `strict`"),
        ((), "which program"),
    ]:
        done = shell.cuvette("run", "--state", "/nonexistent/state", *words)
        assert done.returncode == 2 and said in done.stderr, (words, done.stderr)
        assert not os.path.exists("/nonexistent")


def announcing(mark):
    """A program that says `running`, and does until it is stopped."""
    return shell.program(shell.client.marked(mark, "import time\nprint('running', flush=True)\ntime.sleep(300)\n"))


def test_output_comes_while_it_runs(run):
    process = run.start("--timeout", "100", announcing(mark := shell.client.new_mark()))
    assert process.stdout.readline() == b"running\n"
    assert shell.client.processes_with(mark), "it has not ended"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=shell.SECONDS)[0] == b""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_all(run, name):
    number = getattr(signal, name)
    process = run.start("--timeout", "100", announcing(mark := shell.client.new_mark()))
    assert process.stdout.readline() == b"running\n"
    ours = list(shell.children(process))
    assert bool(ours) == (run.kind == "standalone")
    assert bool(shell.cgroups_of(process.pid)) == (run.kind == "standalone" and shell.makes_cgroups())
    process.send_signal(number)
    assert process.wait(timeout=shell.SECONDS) == -number, "it ends by that signal, so that a shell knows"
    shell.wait_until(lambda: not shell.client.processes_with(mark) and not shell.alive(ours), 5, "all of it is gone")
    shell.wait_until(lambda: not shell.cgroups_of(process.pid), 5, "its control groups are gone")
    process.communicate()


def test_a_killed_run_leaves_no_process(run):
    process = run.start("--timeout", "100", announcing(mark := shell.client.new_mark()))
    assert process.stdout.readline() == b"running\n"
    ours = list(shell.children(process))
    process.kill()
    process.wait()
    shell.wait_until(lambda: not shell.client.processes_with(mark) and not shell.alive(ours), 5, "all of it is gone")
    process.communicate()


def test_a_reader_that_goes_away_ends_it(run):
    main = shell.program("while True: print('x' * 100)\n")
    process = run.start("--stdout-limit", "16MiB", main)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=shell.SECONDS) == 128 + signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()


def is_full(pipe) -> bool:
    """Too full for one more piece of output."""
    held = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
    return held > fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) - 8192


def test_a_reader_that_stands_still_is_no_obstacle_to_ctrl_c(run):
    process = run.start("--timeout", "100", "--stdout-limit", "16MiB", shell.program("while True: print('x' * 100)\n"))
    process.stdout.readline()
    shell.wait_until(lambda: is_full(process.stdout), 30, "the pipe is full")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=shell.SECONDS) == -signal.SIGINT
    process.communicate()


def test_json(run):
    done = run("--json", *HELLO)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {"stdout", "stderr", "return_code", "execution_time", "formatted_code", "lint_warnings", "success", "status",
            "signal", "usage", "environment", "image", "truncated", "run_id"} <= answer.keys()
    assert answer["success"] is True and answer["status"] == "success" and answer["return_code"] == 0
    assert "requests 2.31.0" in answer["stdout"]
    assert {"name": "requests", "version": "2.31.0"} in answer["environment"]["packages"]
    shown = shell.cuvette("env", "show", "--state", shell.suite_state(), answer["environment"]["digest"])
    assert shown.returncode == 0 and "requests 2.31.0" in shown.stdout, shown.stderr
    assert answer["environment"]["store_path"] in shown.stdout



@pytest.mark.parametrize("how", ["auto", "strict"])
def test_isolation_is_chosen_and_told(run, how):
    for _ in range(3):
        done = run("--isolation", how, "--json", shell.program("print('in')"))
        answer = json.loads(done.stdout)
        assert done.returncode == 0 and answer["stdout"] == "in\n"
        assert answer["path"] in (("cold", "zygote", "pool") if (how, run.kind) == ("auto", "attached") else ("cold",))
        assert (answer["why_cold"] is None) == (answer["path"] != "cold"), answer


def test_lint_goes_by_settings(run):
    program = shell.program("import os\nprint('a' + 'b')\n")
    done = run("--json", "--lint-select", "E,F401", "--line-length", "13", "--target-version", "py39", program)
    answer = json.loads(done.stdout)
    assert done.returncode == 0 and [w["code"] for w in answer["lint_warnings"]] == ["F401", "E501"], done.stderr
    assert answer["formatted_code"] == 'import os\n\nprint(\n    "a" + "b"\n)\n'
    for flags, said in ((("--line-length", "9"), "--json"), (("--json", "--lint-select", "XX"), "`XX`"),
                        (("--json", "--line-length", "0"), "--line-length"), (("--json", "--target-version", "3"), "py37")):
        refused = run(*flags, program)
        assert refused.returncode == 2 and said in refused.stdout + refused.stderr


def test_a_deterministic_run(run):
    program = shell.program("import random\nprint(hash('a'), random.random())\n")
    first, second = (run("--deterministic", program).stdout for _ in range(2))
    assert first == second != run(program).stdout


def test_json_of_failures(run):
    done = run("--json", shell.program("import sys; sys.exit(3)"))
    answer = json.loads(done.stdout)
    assert done.returncode == 0 and answer["status"] == "error" and answer["return_code"] == 3
    done = run("--json", "-r", shell.requirements("\nno way\n"), shell.program("print()"))
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 2 and done.stderr == ""
    assert error["code"] == "requirement-invalid" and error["details"]["line"] == 2


def test_progress_on_a_terminal(run):
    """A new environment each time, by a date that nobody asked for before."""
    date = time.strftime(f"2026-10-{'01' if run.kind == 'attached' else '02'}T%H:%M:%SZ", time.gmtime())
    ours, theirs = pty.openpty()
    process = run.start("-r", shell.requirements("six==1.16.0\n"), "--exclude-newer", date,
                        shell.program("import six; print(six.__version__)"), stderr=theirs)
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 120)[0]:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # the terminal's other side is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    assert process.communicate(timeout=shell.SECONDS)[0] == b"1.16.0\n" and process.returncode == 0, shown
    assert "resolving…" in shown.decode() and shown.endswith(b"\r\x1b[K"), shown


def test_both_at_once_on_one_state(service, state):
    """The same new environment asked for from two sides: each gets it, whole."""
    names = shell.requirements("idna==3.7\ncertifi==2024.7.4\n")
    main = shell.program("import idna, certifi; print(idna.__version__, certifi.__version__)")
    words = ["run", "--state", state, "-r", names, "--exclude-newer", shell.DATE]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(shell.cuvette, *words, *flags, main) for flags in ([], ["--standalone"]) * 2]
        for job in jobs:
            done = job.result()
            assert (done.returncode, done.stdout) == (0, "3.7 2024.07.04\n"), done.stderr


def test_uses_the_service_only_when_there_is_one(state, service):
    traced = subprocess.run(["strace", "-f", "-qq", "-e", "trace=execve", "-o", log := str(shell.scratch() / "trace"),
                             shell.CUVETTE, "run", "--state", str(state), shell.program("print('ran')")],
                            capture_output=True, stdin=subprocess.DEVNULL, check=True, env=shell.clean_environment())
    assert traced.stdout == b"ran\n"
    with open(log, encoding="utf-8") as file:
        executed = re.findall(r'execve\("([^"]*)"', file.read())
    assert [os.path.basename(path) for path in executed] == ["cuvette"], "attached, it starts no process"


def test_requirements_include_files_beside_them(run, tmp_path):
    folder = tmp_path / "project"
    (folder / "dev").mkdir(parents=True)
    (folder / "dev" / "more.txt").write_text("-r ../base.txt\n")
    (folder / "base.txt").write_text("# the only package\nidna\n")
    (folder / "limits.txt").write_text("Idna < 3.8\nrequests==0.0.1\n")
    (folder / "requirements.txt").write_text("-r dev/more.txt\n-c limits.txt\n")
    main = shell.program("import importlib.metadata as m\nprint(*sorted(d.name + d.version for d in m.distributions()))\n")
    words = ("-r", folder / "requirements.txt", "--exclude-newer", shell.DATE, main)
    assert run(*words).stdout == "idna3.7\n"

    def refused(name, text, message):
        (folder / name).write_text(text)
        done = run(*words)
        assert done.returncode == 2 and done.stdout == "", done.stdout
        assert f"cuvette: {folder}/{message}" in done.stderr

    refused("base.txt", "\nidna>=4000\n", "base.txt:2:1: ")
    refused("base.txt", "\n  -e .\n", "base.txt:2:3: the option `-e` is not served")
    refused("base.txt", "idna\n-r ../secret.txt\n", "base.txt:2:4: this leads out of the folder")
    refused("base.txt", "-r gone.txt\n", "base.txt:1:4: there is no file `gone.txt`")
    (tmp_path / "secret.txt").write_text("idna\n")
    (folder / "gone.txt").symlink_to("../secret.txt")
    refused("base.txt", "-r gone.txt\n", "base.txt:1:4: there is no file `gone.txt`")
    (folder / "gone.txt").unlink()
    (folder / "gone.txt").symlink_to("dev/real.txt")
    (folder / "dev" / "real.txt").write_text("idna\n")
    assert run(*words).stdout == "idna3.7\n"


def test_requirements_include_files_of_the_working_directory(run, tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "base.txt").write_text("idna<3.8\n")
    (tmp_path / "dev" / "all.txt").write_text("-r ../base.txt\n")
    main = shell.program("import importlib.metadata as m\nprint(m.version('idna'))\n")
    words = ("--exclude-newer", shell.DATE, main)
    done = run("-r", "dev/all.txt", *words, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == "3.7\n", done.stderr
    done = run("-r", tmp_path / "dev" / "all.txt", *words)
    assert done.returncode == 2 and f"cuvette: {tmp_path}/dev/all.txt:1:4: this leads out of the folder" in done.stderr
    (tmp_path / "base.txt").write_text("idna\n-r ../more.txt\n")
    done = run("-r", "dev/all.txt", *words, cwd=tmp_path)
    assert "cuvette: base.txt:2:4: this leads out of the folder" in done.stderr
    # Who stands elsewhere, and a link that leads there: the file's own folder counts.
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "there").symlink_to("../dev")
    for path in ("../dev/all.txt", "there/all.txt"):
        done = run("-r", path, *words, cwd=tmp_path / "here")
        assert done.returncode == 2 and f"cuvette: {path}:1:4: this leads out of the folder" in done.stderr


def test_a_script_says_what_it_needs(run, tmp_path):
    main = tmp_path / "tool.py"
    text = ("# /// script\n# requires-python = '>=3.11'\n# dependencies = [\n#   'Idna<3.8', # the only one\n# ]\n# ///\n"
            "import importlib.metadata as m\nprint(*sorted(d.name + d.version for d in m.distributions()))\n")
    main.write_text(text)
    words = ("--exclude-newer", shell.DATE, main)
    assert run(*words).stdout == "idna3.7\n"

    def refused(old, new, place):
        main.write_text(text.replace(old, new))
        done = run(*words)
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.startswith(f"cuvette: {main}:{place}: "), done.stderr

    refused("Idna<3.8", "Idna>4000", "4:1")
    refused("Idna<3.8", "Idna<", "4:11")
    refused(">=3.11", "<3", "2:21")
    # Requirements that are given count instead.
    (tmp_path / "none.txt").write_text("# none\n")
    assert run("-r", tmp_path / "none.txt", *words).stdout == "\n"
