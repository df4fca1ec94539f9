# SPDX-License-Identifier: MIT
"""Ignores every signal that can be ignored and blocks the others."""
# limits: timeout=1
# expect: status timeout
# expect: wall < 4
import signal
import time

for number in range(1, signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
while True:
    time.sleep(1)
