# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""The service as a whole: health, many at once, clients that leave, its end and its log."""

import concurrent.futures
import contextlib
import datetime
import json
import os
import signal
import subprocess
import threading
import time
import uuid

import client
import httpx
import pytest


def test_the_ready_line_is_one_line_with_the_url(service):
    out = service.log.with_suffix(".out").read_text()
    assert out.count("\n") == 1 and service.url in out


def test_the_root_gives_a_summary_as_json(service):
    answer = service.get("/", headers={"accept": "application/json"})
    assert answer.status_code == 200 and answer.json()["status"] == "healthy"


def test_health_lists_the_components(service):
    answer = service.get("/health").json()
    assert answer["status"] == "healthy" and answer["docker"] == "connected"
    assert answer["version"] == (client.ROOT / "VERSION").read_text().strip()
    for name in ("sandbox", "nix", "resolver", "ruff", "store", "queue"):
        assert answer["components"][name]["status"] in ("ok", "degraded"), (name, answer)
    assert answer["components"]["zygote"]["sharing"] == "tenant"


def test_api_health_has_a_utc_timestamp(service):
    answer = service.get("/api/v1/health").json()
    assert answer["status"] == "healthy"
    when = datetime.datetime.fromisoformat(answer["timestamp"].replace("Z", "+00:00"))
    assert when.utcoffset() == datetime.timedelta(0)
    assert abs(when - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(seconds=30)


def test_128_runs_at_once_are_all_answered_each_with_its_own(service):
    def one(i):
        for _ in range(10):  # who has waited for a minute is told to come back
            response = service.run(f"import sys\nprint({i}, sys.stdin.read())\n", stdin=f"in-{i}", timeout="60")
            if response.status_code != 503:
                break
            time.sleep(int(response.headers["retry-after"]))
        assert response.status_code == 200, response.text
        return response.json()

    with concurrent.futures.ThreadPoolExecutor(128) as pool:
        answers = list(pool.map(one, range(128)))
    assert [a["stdout"] for a in answers] == [f"{i} in-{i}\n" for i in range(128)]
    assert len({a["run_id"] for a in answers}) == 128


def test_runs_at_once_do_not_see_each_other(service):
    code = ("import os, time, pathlib\npathlib.Path('/tmp/mine').write_text('x')\ntime.sleep(1)\n"
            "print(len([p for p in os.listdir('/proc') if p.isdigit()]), os.listdir('/tmp'), os.listdir())\n")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: service.answer(code), range(4)))
    assert len({a["stdout"] for a in answers}) == 1 and "['mine'] ['main.py']" in answers[0]["stdout"]


def sleeping(marker: str, seconds: int) -> str:
    return client.marked(marker, f"import time\ntime.sleep({seconds})\n")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_goes_away_cancels_its_run_within_two_seconds(service, how):
    marker = client.new_mark()
    body = (client.REQUIREMENTS + client.part("code", sleeping(marker, 120).encode(), "main.py") +
            client.part("timeout", b"120") + client.END)
    with service.connect() as s:
        s.sendall(client.request(body))
        client.wait_until(lambda: client.processes_with(marker), 20, "the run started")
        if how == "reset":
            s.setsockopt(__import__("socket").SOL_SOCKET, __import__("socket").SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.wait_until(lambda: not client.processes_with(marker), 2, "the run was cancelled")
    assert service.healthy()


@contextlib.contextmanager
def busy():
    burners = [subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) for _ in range(3)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def test_a_client_that_goes_away_while_a_hundred_wait_frees_their_places(service):
    marker = client.new_mark()
    body = (client.REQUIREMENTS + client.part("code", sleeping(marker, 100).encode(), "main.py") +
            client.part("timeout", b"120") + client.END)
    sockets = [service.connect() for _ in range(100)]
    for s in sockets:
        s.sendall(client.request(body))
    client.wait_until(lambda: client.processes_with(marker), 20, "some started")
    # On a busy machine some of them are just being given their box.
    with busy():
        time.sleep(0.5)
        for s in sockets:
            s.close()
        assert service.answer("print('next')\n", timeout_s=300)["stdout"] == "next\n"
        client.wait_until(lambda: not client.processes_with(marker), 10, "all were cancelled")


def test_no_process_of_a_run_is_left_after_its_answer(service):
    marker = client.new_mark()
    code = ("import os, signal, sys, time\nfor s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)\n"
            "for _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(100)\n")
    service.answer(client.marked(marker, code))
    assert client.processes_with(marker) == []
    # Boxes that wait for the next run are the launcher's own processes still.
    # So are the ruffs that are kept.
    client.wait_until(lambda: all(name == "ruff" or name.startswith("cuvette") for name in service.pids().values()), 3,
                      "no python is left")


def test_sigterm_answers_what_runs_and_refuses_what_comes(tmp_path):
    with client.fresh_state() as state:
        service = client.Service(state, "--drain-timeout", "300").start()
        try:
            service.answer("pass\n")
            result, marker = {}, client.new_mark()
            # The run lasts until it is told that the refusal has been seen.
            code = client.marked(marker, "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n"
                                 "signal.sigtimedwait([signal.SIGUSR1], 250)\nprint('to its end')\n")
            worker = threading.Thread(target=lambda: result.update(service.answer(code, timeout="280")))
            worker.start()
            client.wait_until(lambda: client.processes_with(marker), 30, "the run started")
            service.process.send_signal(signal.SIGTERM)
            client.wait_until(lambda: service.get("/health").json()["draining"], 10, "it heard")
            response = service.run("print(1)\n")
            assert response.status_code == 503 and response.json()["error"]["code"] == "draining"
            assert int(response.headers["retry-after"]) >= 1
            for pid in client.processes_with(marker):
                with contextlib.suppress(PermissionError):
                    os.kill(pid, signal.SIGUSR1)
            worker.join(300)
            assert result.get("stdout") == "to its end\n"
            assert service.process.wait(300) == 0
            with pytest.raises(httpx.TransportError):
                service.get("/health")
        finally:
            service.kill()


def test_a_second_service_on_the_same_state_refuses_to_start(service):
    second = subprocess.run([client.BIN / "cuvette", "serve", "--listen", "127.0.0.1:0", "--state", service.state],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200)
    assert second.returncode == 1 and str(service.state) in second.stderr
    assert service.healthy()


def test_a_port_in_use_is_said_plainly(service):
    with client.fresh_state() as state:
        second = subprocess.run([client.BIN / "cuvette", "serve", "--listen", f"127.0.0.1:{service.port}", "--state",
                                 state], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200)
    assert second.returncode != 0 and str(service.port) in second.stderr and not second.stdout


def cgroups_of(service) -> set[str]:
    """Its supervisor's process id is part of their names."""
    return {path for path in client.states.cgroups() if f"-{service.process.pid}-" in os.path.basename(path)}


def test_kill_9_of_the_whole_service_leaves_what_the_next_start_clears():
    marker = client.new_mark()
    with client.fresh_state() as state:
        service = client.Service(state).start()
        ours = cgroups_of(service)
        assert ours or os.geteuid() != 0
        try:
            with service.connect() as s:
                body = (client.REQUIREMENTS + client.part("code", sleeping(marker, 250).encode(), "main.py") +
                        client.part("timeout", b"250") + client.END)
                s.sendall(client.request(body))
                client.wait_until(lambda: client.processes_with(marker), 20, "the run started")
                pids = dict(service.pids())
                service.process.kill()
                service.process.wait()
                client.wait_until(lambda: not any(p in client._parents() for p in pids), 5, "everything died with it")
                client.wait_until(lambda: not client.processes_with(marker), 5, "the program, too")
        finally:
            service.kill()
        with client.Service(state) as again:
            assert again.answer("print('again')\n")["stdout"] == "again\n"
            assert again.process.poll() is None
        client.wait_until(lambda: not any(map(os.path.exists, ours)), 60, "its control groups are gone")


def test_the_log_is_json_with_request_ids_and_nobodys_content(service):
    secret = f"secret{uuid.uuid4().hex}"
    response = service.run(f"# {secret}\nimport sys\nprint('{secret}', sys.argv)\nraise ValueError('{secret}')\n",
                           f"# {secret}\n", stdin=secret, args=[secret])
    answer = response.json()
    assert secret in answer["stdout"] and secret in answer["stderr"]
    client.wait_until(lambda: answer["request_id"] in service.log.read_text(), 5, "the request is in the log")
    text = service.log.read_text()
    assert secret not in text
    records = [json.loads(line) for line in service.log_lines() if line.strip()]
    mine = [r for r in records if r.get("request_id") == answer["request_id"]]
    assert mine and any(answer["run_id"] in json.dumps(r) for r in mine)
    assert all(isinstance(r, dict) for r in records)


def test_without_a_key_it_refuses_to_listen_beyond_loopback():
    with client.fresh_state() as state:
        done = subprocess.run([client.BIN / "cuvette", "serve", "--listen", "0.0.0.0:0", "--state", state],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200,
                              env={k: v for k, v in os.environ.items() if k != "API_KEY"})
    assert done.returncode != 0 and "key" in done.stderr.lower() and not done.stdout
