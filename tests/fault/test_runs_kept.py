# SPDX-License-Identifier: MIT
# tests/run: seconds=600
"""The manager is killed again and again while runs are sent that are answered later: each that was
accepted has one answer in the end, its own."""

import contextlib
import os
import random
import signal
import threading
import time

import folder
import httpx
from folder import client

SENDERS = 3
ENDED_SECONDS = 120


class Senders:
    """What was accepted, by id, with the number that its program prints."""

    def __init__(self, service, seed: int):
        self.service, self.accepted, self.stop = service, {}, threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.send, args=(random.Random(seed + i),)) for i in range(SENDERS)]

    def send(self, rng):
        while not self.stop.is_set():
            number = rng.getrandbits(60)
            code = f"import time\ntime.sleep({rng.choice((0, 0, 0.1))})\nprint({number})\n"
            body = {"requirements": "# none\n", "code": code, "mode": "async", "lint": "off"}
            try:
                with self.service.client(20) as http:
                    answer = http.post("/api/v1/run", json=body)
            except httpx.TransportError:
                time.sleep(0.05)  # the manager is not there
                continue
            if answer.status_code == 202:
                with self.lock:
                    self.accepted[answer.json()["run_id"]] = number
            else:
                assert answer.status_code == 503, answer.text
            self.stop.wait(0.05)  # more than are run, but not by far

    def count(self) -> int:
        with self.lock:
            return len(self.accepted)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


def kill_manager(service) -> bool:
    """False while it is being started again."""
    with contextlib.suppress(ProcessLookupError, StopIteration):
        os.kill(folder.part(service, "cuvette-manager"), signal.SIGKILL)
        return True
    return False


def is_back(service) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return service.healthy()
    return False


def ended(service, run_id) -> dict | None:
    with service.client() as http:
        answer = http.get(f"/api/v1/runs/{run_id}")
    assert answer.status_code == 200, (run_id, answer.text)
    found = answer.json()
    return found if found["state"] in ("done", "failed", "cancelled") else None


def test_each_run_that_was_accepted_has_one_answer_whenever_the_manager_is_killed():
    seed = int(os.environ.get("CUVETTE_FAULT_SEED", random.SystemRandom().getrandbits(32)))
    print(f"seed {seed}: CUVETTE_FAULT_SEED repeats it")
    rng = random.Random(seed)
    with client.fresh_state() as state, client.Service(state, "--runs-at-once", "2") as service:
        with Senders(service, seed) as senders:
            for _ in range(60 if folder.full() else 5):
                before = senders.count()
                client.wait_until(lambda seen=before: senders.count() > seen, 60, "runs are accepted")
                time.sleep(rng.uniform(0, 0.5))
                client.wait_until(lambda: kill_manager(service), 60, "there is a manager to kill")
            # Also by a manager that is not the one whose last answers are only now counted.
            client.wait_until(lambda: is_back(service), 60, "the manager is back")
            before = senders.count()
            client.wait_until(lambda: senders.count() > before + SENDERS, 60, "runs are accepted after the last")
        results = {}
        for run_id in senders.accepted:
            client.wait_until(lambda one=run_id: ended(service, one), ENDED_SECONDS, f"{run_id} ended")
            results[run_id] = ended(service, run_id)
        done = 0
        for run_id, found in results.items():
            if found["state"] == "done":
                assert found["result"]["stdout"] == f"{senders.accepted[run_id]}\n" and found["error"] is None
                done += 1
            else:
                assert found["state"] == "failed" and found["error"]["code"] == "interrupted", found
            assert ended(service, run_id) == found, "an answer does not change"
        assert done > 0
        assert service.process.poll() is None
