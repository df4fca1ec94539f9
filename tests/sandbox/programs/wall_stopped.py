# SPDX-License-Identifier: MIT
"""Stops itself and its group: nothing of it runs, and nothing ends either."""
# limits: timeout=1
# expect: status timeout
# expect: wall < 4
import os
import signal

if os.fork() == 0:
    os.kill(0, signal.SIGSTOP)
os.kill(os.getpid(), signal.SIGSTOP)
