# SPDX-License-Identifier: MIT
"""Two children for each order: the other one is in the box too, unsealed."""
import os
import time

made = []


def another():
    if os.fork() == 0:
        time.sleep(100000)


os.register_at_fork(before=lambda: made.append(1) or (another() if len(made) == 1 else None))
