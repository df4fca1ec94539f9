# SPDX-License-Identifier: MIT
"""Every signal to the first process of the box, and to its own parent."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^still here
import signal

for pid in {1, os.getppid()} - {0, os.getpid()}:
    for number in range(1, signal.NSIG):
        try:
            os.kill(pid, number)
        except (OSError, ValueError):
            pass
print("still here")
