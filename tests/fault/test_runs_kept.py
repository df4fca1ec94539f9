# SPDX-License-Identifier: MIT
# tests/run: seconds=2400
"""Manager, launcher and builder are killed at random moments while clients with keys of their own send
runs, some that they wait for and some that are answered later. Each that was accepted has one answer in
the end, its own: the result, or a typed failure that may be sent again. Nothing is lost or there twice."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time

import folder
import httpx
import leftovers
from folder import client

ENDED = ("done", "failed", "cancelled")
ENDED_SECONDS = 120
# A kill in this time before a failure explains it.
KILLS = {"cuvette-manager": 4, "cuvette-launcher": 3, "cuvette-builder": 3}
CODES = {"interrupted"}.union(*folder.RETRYABLE.values())
NONE = {"requirements": "# none\n"}


def create_key(state, name: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CUVETTE_") and k != "API_KEY"}
    done = subprocess.run([client.BIN / "cuvette", "key", "create", "--state", state, "--name", name],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, env=environment, check=True)
    return done.stdout.strip()


def environment(rng: random.Random) -> dict:
    """Now and then one that is not known yet, so that the builder has work to be killed in."""
    if rng.random() > 0.1:
        return NONE
    when = f"2024-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randint(0, 23):02}:00:{rng.randint(0, 59):02}Z"
    return {"requirements": "six==1.16.0\n", "exclude_newer": when}


class Sender:
    """A client with a key. accepted: number that the program prints, by id; ended: how it is with those
    that have, in the words of the service."""

    def __init__(self, service, key: str, rng: random.Random):
        self.service, self.key, self.rng = service, key, rng
        self.accepted, self.ended, self.answered, self.broken, self.wrong = {}, {}, 0, 0, []
        self.stop, self.thread = threading.Event(), threading.Thread(target=self.main, daemon=True)

    def request(self, method: str, path: str, **options) -> httpx.Response | None:
        """None: the manager was not there, or not to the end."""
        with contextlib.suppress(httpx.TransportError), self.service.client(ENDED_SECONDS) as http:
            return http.request(method, path, headers={"X-API-Key": self.key}, **options)
        return None

    def main(self) -> None:
        try:
            while not self.stop.is_set():
                self.send()
                self.look_at_oldest()
                self.stop.wait(0.05)  # more than are run, but not by far
        except Exception as error:  # told by the test's own thread
            self.wrong.append(repr(error))

    def send(self) -> None:
        number = self.rng.getrandbits(60)
        code = f"import time\ntime.sleep({self.rng.choice((0, 0, 0.1))})\nprint({number})\n"
        mode = self.rng.choice(("sync", "async", "async"))
        answer = self.request("POST", "/api/v1/run", json={**environment(self.rng), "code": code, "mode": mode, "lint": "off",
                                                              "timeout": client.RUN_SECONDS})
        if answer is None:
            self.broken += 1
        elif answer.status_code == 202:
            self.accepted[answer.json()["run_id"]] = number
        elif answer.status_code == 200:
            self.hold(mode == "sync" and answer.json()["stdout"] == f"{number}\n", answer.text)
            self.answered += 1
        else:
            self.hold(folder.is_retryable(answer), answer.text)

    def hold(self, what: bool, why: str) -> None:
        if not what:
            self.wrong.append(why[:2000])

    def look_at_oldest(self) -> None:
        run_id = next((run_id for run_id in self.accepted if run_id not in self.ended), None)
        if run_id:
            self.look(run_id)

    def look(self, run_id: str) -> bool:
        """Whether it has ended; what it ended with is looked at."""
        answer = self.request("GET", f"/api/v1/runs/{run_id}")
        if answer is None or answer.status_code == 503:
            return False
        self.hold(answer.status_code == 200, f"{run_id}: {answer.text}")
        if answer.status_code != 200 or answer.json()["state"] not in ENDED:
            return answer.status_code != 200
        found = answer.json()
        number = self.accepted.get(run_id)
        if found["state"] == "done":
            self.hold(number is None or found["result"]["stdout"] == f"{number}\n", f"{number}: {found}")
        else:
            self.hold(found["state"] == "failed" and found["error"]["code"] in CODES, str(found))
        self.hold(self.ended.setdefault(run_id, found) == found, f"an answer has changed: {found}")
        return True

    def listed(self) -> list[str]:
        found, page = [], {"next": None}
        while not found or page["next"]:
            answer = self.request("GET", "/api/v1/runs", params={"limit": 200, **({"cursor": page["next"]} if found else {})})
            assert answer is not None and answer.status_code == 200, answer and answer.text
            page = answer.json()
            found += page["runs"]
            if not found:
                break
        return [run["run_id"] for run in found]


def is_fresh(found: dict) -> bool:
    """It does not expire while it is looked at."""
    return found["expires"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))


class Senders:
    def __init__(self, service, keys: list[str], seed: int):
        self.all = [Sender(service, key, random.Random(seed + i)) for i, key in enumerate(keys)]

    def count(self) -> int:
        return sum(len(sender.accepted) for sender in self.all)

    def wrong(self) -> list[str]:
        return [why for sender in self.all for why in sender.wrong]

    def __enter__(self):
        for sender in self.all:
            sender.thread.start()
        return self

    def __exit__(self, *_):
        for sender in self.all:
            sender.stop.set()
        for sender in self.all:
            sender.thread.join(2 * ENDED_SECONDS)
            assert not sender.thread.is_alive()


def kill(service, part: str) -> bool:
    """False while it is being started again."""
    with contextlib.suppress(ProcessLookupError, StopIteration):
        os.kill(folder.part(service, part), signal.SIGKILL)
        return True
    return False


def is_back(service) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return service.healthy()
    return False


def kill_again_and_again(service, senders, rng) -> None:
    for _ in range(12 if folder.full() else 1):
        parts = [part for part, n in KILLS.items() for _ in range(n)]
        rng.shuffle(parts)
        for part in parts:
            before = senders.count()
            client.wait_until(lambda seen=before: senders.count() > seen or senders.wrong(), 60, "runs are accepted")
            assert not senders.wrong(), senders.wrong()
            time.sleep(rng.uniform(0, 0.5))
            client.wait_until(lambda one=part: kill(service, one), 60, f"there is a {part} to kill")
    # Also by a manager that is not the one whose last answers are only now counted.
    client.wait_until(lambda: is_back(service), 60, "the service is back")
    before = senders.count()
    client.wait_until(lambda: senders.count() > before + len(senders.all), 60, "runs are accepted after the last")
    client.wait_until(lambda: senders.wrong() or all(sender.accepted and sender.answered for sender in senders.all), 120,
                      "each has had answers of both kinds")


def test_each_run_that_was_accepted_has_one_answer_whoever_is_killed():
    seed = int(os.environ.get("CUVETTE_FAULT_SEED", random.SystemRandom().getrandbits(32)))
    print(f"seed {seed}: CUVETTE_FAULT_SEED repeats it")
    with client.fresh_state() as state:
        keys = [create_key(state, name) for name in ("one", "two", "three")]
        with client.Service(state, "--runs-at-once", "2") as service:
            with Senders(service, keys, seed) as senders:
                kill_again_and_again(service, senders, random.Random(seed))
            judge(service, senders)
            family = list(leftovers.below(service.process.pid))
            assert service.process.poll() is None and service.stop() == 0
            leftovers.gone(service.process.pid, family, state)


def judge(service, senders) -> None:
    seen, printed = set(), []
    for sender in senders.all:
        for run_id in [run_id for run_id in sender.accepted if run_id not in sender.ended]:
            client.wait_until(lambda who=sender, one=run_id: who.look(one), ENDED_SECONDS, f"{run_id} ended")
        listed = sender.listed()
        # Those too whose acceptance was lost with the manager that had said so.
        for run_id in [run_id for run_id in listed if run_id not in sender.ended]:
            client.wait_until(lambda who=sender, one=run_id: who.look(one), ENDED_SECONDS, f"{run_id} ended")
        fresh = [run_id for run_id, found in sender.ended.items() if is_fresh(found)]
        assert fresh and set(fresh) <= set(listed) and len(listed) == len(set(listed))
        for run_id in fresh:
            assert sender.look(run_id), "an answer does not change"
        assert not sender.wrong, sender.wrong
        assert not seen & set(sender.ended), "a run is one client's"
        seen |= set(sender.ended)
        printed += [found["result"]["stdout"] for found in sender.ended.values() if found["state"] == "done"]
        assert sender.answered > 0
    assert printed and len(printed) == len(set(printed)), "a run was answered twice"
    print(f"{len(seen)} runs answered later, {len(printed)} of them done; {sum(s.answered for s in senders.all)} at once, "
          f"{sum(s.broken for s in senders.all)} connections broken")
