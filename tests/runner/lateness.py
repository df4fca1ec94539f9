# SPDX-License-Identifier: MIT
"""What was late because the machine was, told from what is wrong.

A try is late where the test itself says so (Late), where one of the processors stood
still while it lasted, or where an answer told that a time of the service's own had passed."""

import contextlib
import os
import re
import threading
import time

TICK_S = 0.05
STILL_S = 0.25  # half of the shortest time that the service gives to anything
# A run that was ended by its time, a lint that did not come, in the words of each dialect.
TELLS = re.compile(rb'"(?:status|lint)": ?"(?:timeout|unavailable)"|"outcome": ?13\b|[Tt]imed out')

_lock, _answers = threading.Lock(), 0


class Late(AssertionError):
    """Wrong in time only: to be tried again."""


def look_at(answer) -> None:
    global _answers
    short = int(answer.headers.get("content-length", 1 << 40)) < 1 << 20 and answer.request.method != "HEAD"
    if answer.status_code in (503, 504) or short and TELLS.search(answer.read()):
        with _lock:
            _answers += 1


class Watch:
    """One thread on each processor that wants to wake up soon again and again."""

    def __init__(self):
        self.longest, self._end = 0.0, threading.Event()
        self._threads = [threading.Thread(target=self._look, args=(n,), daemon=True) for n in os.sched_getaffinity(0)]

    def _look(self, processor: int) -> None:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, [processor])  # of this thread alone
        while not self._end.is_set():
            since = time.monotonic()
            time.sleep(TICK_S)
            self.longest = max(self.longest, time.monotonic() - since - TICK_S)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def seen(told: bool = True):
    """Makes Late of an assertion that failed while something was late. told: answers that tell of it count too;
    not where they are what the test is after."""
    before = _answers
    with Watch() as watch:
        try:
            yield
        except Late:
            raise
        except AssertionError as error:
            failed = error
        else:
            return
    if watch.longest > STILL_S:
        raise Late(f"the machine stood still for {watch.longest:.2f} s: {failed}") from failed
    if told and _answers > before:
        raise Late(f"an answer told of a time that passed: {failed}") from failed
    raise failed
