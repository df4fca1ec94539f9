# SPDX-License-Identifier: MIT
"""Counts the children it can have at once; they are left behind sleeping."""
# needs: cgroup-pids
# limits: timeout=10 processes=32
# expect: status success
# expect: stdout ~ ^held limit
# expect: wall < 8
import os
import time

born = 0
for _ in range(500):
    try:
        if os.fork() == 0:
            time.sleep(100)
            os._exit(0)
    except OSError:
        break
    born += 1
check("limit", 1 <= born < 32, f"{born} children")
