# SPDX-License-Identifier: MIT
"""What an environment costs that another service has made already."""

import json
import os
import pathlib

import client
from figures import Report, in_turns, median, ratio
from making import ENVIRONMENTS, asked, forget, rounds_of

KEY = "sesame-of-the-bench"
GOAL = 0.3


class Way:
    """A builder of its own each time, that knows a cache or none."""

    def __init__(self, service, *words, **settings: str):
        self.service, self.words, self.settings = service, words, settings

    def __call__(self) -> float:
        """Milliseconds of the whole request."""
        assert forget(self.service) > 1, "nothing was taken away"
        answer, said = asked(self.service.state, *self.words, **self.settings)
        from_cache = any('"substituted"' in line for _, line in said)
        assert from_cache == bool(self.settings), said
        return answer["ask_us"] / 1000


def as_sent(state: pathlib.Path, answer: dict) -> dict:
    """The answer's lock, without addresses."""
    lock = json.loads((state / "nix/locks" / f"{answer['lock_digest'].removeprefix('sha256:')}.json").read_text())
    for package in lock["packages"]:
        del package["url"]
    return lock


def shared(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head("An environment from another service's signed cache, on the loopback")
    rows = []
    service.stop()
    # A mirror in the machine's own network is not public by itself.
    public = {"CUVETTE_PUBLIC_INDEXES": os.environ.get("UV_DEFAULT_INDEX", "")}
    with client.fresh_state() as other, client.Service(other, CACHE_SHARE="1", API_KEY=KEY, **public) as first:
        trusted = (other / "nix/cache.public").read_text().strip()
        caches = f"http://anybody:{KEY}@127.0.0.1:{first.port} {trusted}"
        for name, (text, code, rounds) in ENVIRONMENTS.items():
            made = first.client().post("/api/v1/run", headers={"X-API-Key": KEY}, timeout=600, files={
                "requirements": ("requirements.txt", text), "code": ("main.py", code)}, data={"exclude_newer": client.DATE})
            assert made.status_code == 200, made.text
            wanted = folder / f"{name}.txt"
            wanted.write_text(text)
            answer, _ = asked(service.state, wanted)  # its wheels are there, and what the resolver knows
            lock = folder / f"{name}.json"
            lock.write_text(json.dumps(as_sent(service.state, answer)))
            ms = in_turns(rounds_of(length, rounds), {
                "taken": Way(service, lock, "--lock", CUVETTE_CACHES=caches), "built": Way(service, lock, "--lock"),
                "taken, resolved": Way(service, wanted, CUVETTE_CACHES=caches), "built, resolved": Way(service, wanted)})
            rows.append([name, median(ms["taken"]), median(ms["built"]), ratio(ms["taken"], ms["built"]),
                         median(ms["taken, resolved"]), median(ms["built, resolved"]),
                         ratio(ms["taken, resolved"], ms["built, resolved"])])
            report.goal(f"{name}: from a signed cache against building", rows[-1][3], GOAL)
            report.goal(f"{name}: the same, each with its resolver", rows[-1][6], GOAL)
    service.start()
    report.table(["of a lock", "taken ms", "built, wheels present, ms", "ratio",
                  "of requirements: taken ms", "built ms", "ratio"], rows)
