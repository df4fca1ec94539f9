# SPDX-License-Identifier: MIT
"""CPU time by threads in native code that holds no interpreter lock."""
# needs: cgroup-cpu
# limits: timeout=20 cpu_time=1
# expect: status timeout
# expect: cpu < 2.5
import hashlib
import threading

block = bytes(64 << 20)


def burn():
    while True:
        hashlib.sha512(block).digest()


for _ in range(8):
    threading.Thread(target=burn).start()
