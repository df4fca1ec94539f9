# SPDX-License-Identifier: MIT
"""How a run ends is told by `status`, `signal` and `return_code`, each limit apart."""

import time

import pytest

import client


@client.one_good_of(5, told=False)
def test_wall_time_ends_a_sleeping_program(service):
    begun = time.monotonic()
    answer = service.answer("import time\nprint('in', flush=True)\ntime.sleep(60)\n", timeout="3")
    assert answer["status"] == "timeout" and answer["signal"] == "SIGKILL" and answer["return_code"] == 137
    assert answer["stdout"] == "in\n"
    assert 2.9 < answer["execution_time"] < 6 and time.monotonic() - begun < 30
    assert answer["usage"]["cpu_user"] < 1


@client.one_good_of(5, told=False)
def test_cpu_time_ends_a_busy_program_before_its_wall_time(service):
    answer = service.answer("while True: pass\n", timeout="30", cpu_time="1")
    assert answer["status"] == "timeout" and answer["execution_time"] < 15
    assert 0.7 < answer["usage"]["cpu_user"] + answer["usage"]["cpu_system"] < 3


@client.one_good_of(5, told=False)
def test_cpu_time_counts_all_processes_of_a_run(service):
    code = "import os\nfor _ in range(3): os.fork()\nwhile True: pass\n"
    answer = service.answer(code, timeout="60", cpu_time="2", cpus="2")
    assert answer["status"] == "timeout" and answer["execution_time"] < 30


def test_memory_limit_of_the_program_itself(service):
    code = "print('in', flush=True)\nkept = []\nwhile True: kept.append(bytearray(1 << 20))\n"
    answer = service.answer(code, memory="100MiB", timeout="60")
    assert answer["status"] == "out-of-memory" and answer["stdout"] == "in\n"
    assert answer["usage"]["max_memory"] <= 101 << 20


def test_memory_limit_when_only_a_child_was_the_victim(service):
    code = ("import subprocess, sys\n"
            "grow = 'kept = []\\nwhile True: kept.append(bytearray(1 << 20))'\n"
            "print(subprocess.run([sys.executable, '-c', grow]).returncode)\n")
    answer = service.answer(code, memory="120MiB", timeout="60")
    assert answer["status"] == "out-of-memory" and answer["success"] is False, answer
    # Whether the parent is left to see its child die is the kernel's and the launcher's.
    assert (answer["return_code"], answer["stdout"]) in ((0, "-9\n"), (137, ""))


def test_files_in_tmp_count_as_memory(service):
    code = "import os\nwith open('/tmp/f', 'wb') as f:\n    while True: f.write(bytes(1 << 20)); f.flush()\n"
    answer = service.answer(code, memory="64MiB", tmp_size="512MiB", file_size="512MiB", timeout="60")
    assert answer["status"] == "out-of-memory"


def test_a_memory_error_that_the_program_handles_is_no_out_of_memory(service):
    answer = service.answer("try:\n    raise MemoryError\nexcept MemoryError:\n    print('caught')\n")
    assert answer["status"] == "success" and answer["stdout"] == "caught\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_flood_on_one_stream_keeps_what_came_before_and_the_other_stream(service, stream):
    other = {"stdout": "stderr", "stderr": "stdout"}[stream]
    code = (f"import sys\nsys.{other}.write('kept')\nsys.{other}.flush()\n"
            f"while True: sys.{stream}.write('0123456789' * 100)\n")
    answer = service.answer(code, timeout="30", **{f"{stream}_limit": "100000"})
    assert answer["status"] == "output-limit"
    assert answer[stream] == ("0123456789" * 10000) and answer[other] == "kept"
    assert answer["truncated"] == {stream: True, other: False}


def test_output_of_exactly_the_limit_is_whole(service):
    answer = service.answer("print('x' * 999)\n", stdout_limit="1000")
    assert answer["status"] == "success" and len(answer["stdout"]) == 1000
    assert answer["truncated"] == {"stdout": False, "stderr": False}


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGTERM", "SIGKILL", "SIGFPE", "SIGUSR1"])
def test_a_signal_is_named(service, name):
    number = __import__("signal").Signals[name].value
    answer = service.answer(f"import os\nos.kill(os.getpid(), {number})\n")
    assert (answer["status"], answer["signal"], answer["return_code"]) == ("killed", name, 128 + number)


@pytest.mark.parametrize("code, status", [
    ("raise SystemExit", 0), ("import sys; sys.exit(3)", 3), ("import sys; sys.exit('words')", 1),
    ("import os; os._exit(255)", 255), ("import sys; sys.exit(256)", 0), ("import sys; sys.exit(-1)", 255),
])
def test_exit_statuses_come_back_as_they_are(service, code, status):
    answer = service.answer(code + "\n")
    assert answer["return_code"] == status and answer["signal"] is None
    assert answer["status"] == ("success" if status == 0 else "error") and answer["success"] is (status == 0)


def test_too_many_processes_are_refused_to_the_program_not_to_others(service):
    code = ("import os, time\nmade = 0\n"
            "try:\n    while True:\n        if os.fork() == 0: time.sleep(60)\n        made += 1\n"
            "except BlockingIOError:\n    print(made, flush=True)\n    os._exit(0)\n")
    answer = service.answer(code, processes="20", timeout="30")
    assert answer["status"] == "success" and 10 <= int(answer["stdout"]) <= 20, answer


@pytest.mark.parametrize("field, value, code", [
    ("descriptors", "64", "kept = [open('/dev/null') for _ in range(100)]"),
    ("work_size", "1MiB", "open('f', 'wb').write(bytes(2 << 20))"),
    ("tmp_size", "1MiB", "open('/tmp/f', 'wb').write(bytes(2 << 20))"),
    ("shm_size", "1MiB", "open('/dev/shm/f', 'wb').write(bytes(2 << 20))"),
    ("work_inodes", "50", "[open(f'f{i}', 'w').close() for i in range(100)]"),
])
def test_limits_that_a_program_sees_as_an_error(service, field, value, code):
    assert service.answer(code + "\n")["status"] == "success"
    answer = service.answer(code + "\n", **{field: value})
    assert answer["status"] == "error" and "OSError" in answer["stderr"], answer


def test_a_file_that_grows_too_large_is_an_error_or_a_named_signal(service):
    answer = service.answer("open('f', 'wb').write(bytes(2 << 20))\n", file_size="1MiB")
    assert answer["status"] == "error" and "File too large" in answer["stderr"] or answer["signal"] == "SIGXFSZ"


@client.one_good_of(5, told=False)
def test_execution_time_is_the_programs_own(service):
    answer = service.answer("import time\ntime.sleep(0.5)\n")
    assert 0.5 <= answer["execution_time"] < 3
    assert answer["usage"]["wall"] == pytest.approx(answer["execution_time"], abs=0.01)


@client.one_good_of(5, told=False)
def test_children_that_outlive_the_program_do_not_hold_the_answer(service):
    code = ("import os, time\n"
            "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(60)\n"
            "    os._exit(0)\nprint('parent')\n")
    begun = time.monotonic()
    answer = service.answer(code, timeout="30")
    assert answer["status"] == "success" and answer["stdout"] == "parent\n"
    assert time.monotonic() - begun < 15
