# SPDX-License-Identifier: MIT
"""A grandchild keeps stdout open after the program has ended."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^main is done
# expect: wall < 6
import os
import time

if os.fork() == 0:
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
os.wait()
print("main is done")
