# SPDX-License-Identifier: MIT
"""Many processes burn CPU time that only adds up for the whole run."""
# needs: cgroup-cpu
# limits: timeout=30 cpu_time=1
# expect: status timeout
# expect: cpu < 3
# expect: wall < 15
import os

for _ in range(16):
    if os.fork() == 0:
        break
while True:
    pass
