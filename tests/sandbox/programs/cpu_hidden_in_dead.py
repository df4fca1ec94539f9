# SPDX-License-Identifier: MIT
"""The CPU time of dead children counts too: each burns a little and ends."""
# needs: cgroup-cpu
# limits: timeout=30 cpu_time=1
# expect: status timeout
# expect: cpu < 3
# expect: wall < 15
import os
import time

while True:
    if os.fork() == 0:
        while time.process_time() < 0.2:
            pass
        os._exit(0)
    os.wait()
