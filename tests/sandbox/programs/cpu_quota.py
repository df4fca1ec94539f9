# SPDX-License-Identifier: MIT
"""Half a CPU for four busy processes."""
# needs: cgroup-cpu
# limits: timeout=4 cpu_time=100 cpus=0.5
# expect: status timeout
# expect: cpu < 2.8
import os

for _ in range(3):
    if os.fork() == 0:
        break
while True:
    pass
