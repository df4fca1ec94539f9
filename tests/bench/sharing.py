# SPDX-License-Identifier: MIT
"""What an environment costs that another service has made already."""

import pathlib

import client
from figures import Report, in_turns, median, ratio
from making import ENVIRONMENTS, Ours, rounds_of

KEY = "sesame-of-the-bench"
GOAL = 0.3


class Turn:
    """One of two services that take turns with a state folder."""

    def __init__(self, service, text: str, code: str):
        self.service, self.ours = service, Ours(service, text, code)

    def __call__(self) -> float:
        self.service.start()
        taken = self.ours()
        self.service.stop()
        return taken


def shared(report: Report, service, folder: pathlib.Path, length) -> None:
    report.head("An environment from another service's signed cache, on the loopback")
    rows = []
    service.stop()
    with client.fresh_state() as other, client.Service(other, CACHE_SHARE="1", API_KEY=KEY) as first:
        trusted = (other / "nix/cache.public").read_text().strip()
        caches = f"http://anybody:{KEY}@127.0.0.1:{first.port} {trusted}"
        second = client.Service(service.state, CUVETTE_CACHES=caches)
        for name, (text, code, rounds) in ENVIRONMENTS.items():
            made = first.client().post("/api/v1/run", headers={"X-API-Key": KEY}, timeout=600, files={
                "requirements": ("requirements.txt", text), "code": ("main.py", code)}, data={"exclude_newer": client.DATE})
            assert made.status_code == 200, made.text
            with service:  # its wheels are there, and what the resolver knows
                service.answer(code, text, exclude_newer=client.DATE)
            taken = in_turns(rounds_of(length, rounds), {"cache": Turn(second, text, code),
                                                         "built": Turn(service, text, code)})
            assert '"substituted"' in second.log.read_text(), "nothing came from the cache"
            rows.append([name, median(taken["cache"]), median(taken["built"]), ratio(taken["cache"], taken["built"])])
            report.goal(f"{name}: from a signed cache against building", rows[-1][3], GOAL)
    service.start()
    report.table(["resolve, and take or build", "from the cache ms", "built, wheels present, ms", "ratio"], rows)
