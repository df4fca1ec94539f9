# SPDX-License-Identifier: MIT
"""Many processes share the work of taking memory, each a little."""
# needs: cgroup-memory
# limits: timeout=20 memory=128MiB processes=48
# expect: status out-of-memory
# expect: memory < 144MiB
import os
import time

for _ in range(30):
    try:
        if os.fork() == 0:
            kept = bytearray(os.urandom(4096) * 4096)
            time.sleep(60)
    except OSError:
        break
time.sleep(60)
