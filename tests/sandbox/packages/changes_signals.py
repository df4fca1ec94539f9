# SPDX-License-Identifier: MIT
"""Changes what signals do, blocks them, sets timers and an alarm."""
import faulthandler
import signal

for number in range(1, signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
faulthandler.enable(open("/dev/null", "w"))
