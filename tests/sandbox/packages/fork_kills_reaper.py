# SPDX-License-Identifier: MIT
"""Kills what it can see in the box's and its own process namespace, at each fork."""
# accepts: killed - what it may kill are the runs of its own environment, which it is in anyway
import os
import signal


def kill():
    for pid in range(1, 60):
        if pid != os.getpid():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass


os.register_at_fork(before=kill, after_in_parent=kill)
