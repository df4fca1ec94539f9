# SPDX-License-Identifier: MIT
"""Never waits for its dead children: each still counts as a process."""
# needs: cgroup-pids
# limits: timeout=10 processes=48
# expect: status success
# expect: stdout ~ ^held zombies
import os

born = 0
for _ in range(2000):
    try:
        if os.fork() == 0:
            os._exit(0)
    except OSError:
        break
    born += 1
check("zombies", born < 48, f"{born} zombies")
