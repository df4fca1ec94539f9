# SPDX-License-Identifier: MIT
"""Runs programs against one way into a box, several at once, and judges each.

After each program comes a canary, the same way. Whether anything was left on the
machine can only be told when nothing runs: it is looked for after each batch, and
where something is found the batch's programs are run again one by one, so that the
one that left it is named. What was wrong only in time is run again with nothing of
the suite beside it, TRIES_ALONE times at most: two processors with four hostile
programs and other suites on them are late by themselves now and then, while an
attack on the clock is so each time."""
import concurrent.futures
import dataclasses
import secrets
import socket
import threading
import time

from . import canary, companions, leftovers, program as programs

WARM_RUNS = 6  # until as many boxes wait as there should be
JOBS = 4
BATCH = 12
TRIES_ALONE = 8
TRIES_CHARGED = 2  # where it was too much CPU time: a limit that holds now and then is none
# Until runs take the path that is asked for: a zygote that did not fork in its 5 s, as on a machine
# that stands still, is started again 5 s later or 10.
PATIENCE_S = 120
OUTPUT_MAX = 2000  # of what a first program printed, given to the next


@dataclasses.dataclass
class Verdict:
    name: str
    wrong: list = dataclasses.field(default_factory=list)
    skipped: str = ""
    seconds: float = 0.0


def _weight(program) -> float:
    """About how long it takes, so that those that take long stand together."""
    waits = any("timeout" in label for label, _ in program.expect if label.startswith("status "))
    return (program.timeout if waits else 0.3) + (companions.VICTIM_SECONDS if program.companions else 0)


class Runner:
    def __init__(self, sender, state: str | None, jobs: int = JOBS):
        self.sender, self.state, self.jobs = sender, state, jobs
        self.listeners = companions.Listeners()
        self.taken, self.retried, self._lock = {}, 0, threading.Lock()
        self.watch, self.degraded, self.patience = None, set(), PATIENCE_S * programs.pace
        self.ways = {}  # that each program's own run took

    def warm(self) -> list:
        """A few runs first: what a service makes once and keeps is there after them,
        the zygote too."""
        until = time.monotonic() + PATIENCE_S * programs.pace
        while not self._is_as_asked(self.sender.send(canary.CANARY, [])) and time.monotonic() < until:
            time.sleep(0.1)
        if wrong := canary.wrong(self._send):
            return wrong
        for _ in range(WARM_RUNS):
            canary.wrong(self._send)
        self.watch, self.degraded = leftovers.Leftovers(self.sender.root, self.state), self.sender.degraded()
        return []

    def _is_as_asked(self, observed) -> bool:
        """A pool that is being filled may fork on demand meanwhile."""
        wanted = {"cold": ("cold",), "zygote": ("zygote",), "pool": ("pool", "zygote")}.get(self.sender.path)
        return bool(observed.trouble) or not wanted or observed.path in wanted

    def _send(self, program, arguments: list):
        """Where it took another path (a zygote is replaced now and then) it is sent
        again. All waits together have an end: where it never is as asked, that is told soon."""
        for attempt in range(1, 1000):
            observed = self.sender.send(program, arguments)
            with self._lock:
                self.taken[observed.path] = self.taken.get(observed.path, 0) + 1
            if self._is_as_asked(observed):
                return observed
            with self._lock:
                pause = min(0.3 * attempt * programs.pace, 3, self.patience)
                self.patience -= pause
            if pause <= 0:
                break
            time.sleep(pause)
        observed.trouble = f"it took the path {observed.path or '(none told)'}, not {self.sender.path}: {observed.why_cold}"
        return observed

    def _values(self) -> dict:
        secret, service_secret = secrets.token_hex(12), getattr(self.sender, "secret", secrets.token_hex(12))
        # The service's is given the wrong way round, so that the arguments are not what is found.
        return {**self.listeners.values, "host_addresses": companions.host_addresses(),
                "far_addresses": companions.FAR_ADDRESSES, "hostname": socket.gethostname(),
                "state": self.state or "/var/lib/cuvette", "service_secret": service_secret[::-1], "secret": secret,
                "secret_back": secret[::-1]}

    def _once(self, program) -> list:
        values = self._values()
        victim = companions.Victim(self._send, values["secret"]) if "victim" in program.companions else None
        observed = self._send(program, program.arguments(values))
        self.ways[program.name] = observed.path
        wrong = programs.judge(program, observed)
        if program.next and not observed.trouble:
            values["output"] = observed.stdout.strip()[:OUTPUT_MAX]
            following = self._send(program.next, program.next.arguments(values))
            wrong += [type(w)("the next run: " + w) for w in programs.judge(program.next, following)]
        if victim:
            wrong += victim.wrong()
        return wrong + canary.wrong(self._send)

    def _left(self) -> list:
        return [f"the host's {name} listener was reached" for name in self.listeners.heard()] + \
               ["left: " + what for what in self.watch.find()]

    def _alone(self, program, wrong: list) -> list:
        """Again by itself, while what is wrong is a matter of time only."""
        charged = 0
        for attempt in range(TRIES_ALONE):
            if not wrong or not all(isinstance(w, programs.Late) for w in wrong):
                break
            charged += any(isinstance(w, programs.Charged) for w in wrong)
            if charged > TRIES_CHARGED:
                break
            time.sleep(min(attempt, 5))  # what makes the machine slow may pass
            self.retried += 1
            wrong = self._once(program)
        return wrong

    def _batch(self, batch: list) -> list:
        def timed(program):
            since = time.monotonic()
            return Verdict(program.name, self._once(program), "", time.monotonic() - since)

        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            verdicts = list(pool.map(timed, batch))
        left = self._left()
        for program, verdict in zip(batch, verdicts):
            verdict.wrong = self._alone(program, verdict.wrong)
            if left and len(batch) > 1:
                verdict.wrong += self._once(program) + self._left()
        if left and not any(v.wrong for v in verdicts):
            verdicts[0].wrong = [f"{what} (one of {', '.join(p.name for p in batch)})" for what in left]
        return verdicts

    def run(self, wanted: list, report) -> list:
        """Calls report with each Verdict as soon as it is known."""
        verdicts, fit = [], []
        for program in wanted:
            if why := self._skip(program):
                verdicts.append(Verdict(program.name, skipped=why))
                report(verdicts[-1])
            else:
                fit.append(program)
        together = sorted((p for p in fit if not p.alone), key=_weight, reverse=True)
        batches = [together[n:n + BATCH] for n in range(0, len(together), BATCH)] + [[p] for p in fit if p.alone]
        for batch in batches:
            for verdict in self._batch(batch):
                verdicts.append(verdict)
                report(verdict)
        return verdicts

    def _skip(self, program) -> str:
        if off := self.degraded & set(program.needs):
            return f"the service runs without {', '.join(sorted(off))}"
        return ""
