# SPDX-License-Identifier: MIT
"""Takes over orphans, dies before them, and asks for signals at its parent's death."""
# limits: timeout=10
# expect: status error
# expect: return_code 5
# expect: wall < 6
import time

syscall(157, 36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
for _ in range(5):
    if os.fork() == 0:
        if os.fork() == 0:
            syscall(157, 1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG off
            time.sleep(100)
        os._exit(0)
os._exit(5)
