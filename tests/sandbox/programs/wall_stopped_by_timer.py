# SPDX-License-Identifier: MIT
"""Stops and goes on by itself, so that time only passes while it does not run."""
# limits: timeout=1
# expect: status timeout
import time

me = os.getpid()
if os.fork() == 0:
    while True:
        os.kill(me, signal.SIGSTOP)
        time.sleep(0.01)
        os.kill(me, signal.SIGCONT)
while True:
    pass
