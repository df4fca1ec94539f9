# SPDX-License-Identifier: MIT
"""Every process starts two more interpreters of this program."""
# needs: cgroup-pids
# limits: timeout=3 processes=24
# expect: status timeout success error
# expect: wall < 8
import os
import sys

while True:
    for _ in range(2):
        try:
            if os.fork() == 0:
                os.execv(sys.executable, [sys.executable, "/box/main.py"])
        except OSError:
            pass
