# SPDX-License-Identifier: MIT
"""What stays behind forks away from whoever counts the processes."""
# needs: cgroup-pids
# limits: timeout=15 processes=32
# expect: status success
# expect: wall < 8
import os

if os.fork() == 0:
    os.setsid()
    while True:
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            pass
print("main is done")
