# SPDX-License-Identifier: MIT
"""Forty writers on both streams, threads and processes, each with its own size."""
# limits: timeout=20 stdout_limit=100000 stderr_limit=100000 processes=64
# expect: status output-limit
# expect: stdout_bytes <= 100000
# expect: stderr_bytes <= 100000
# expect: wall < 8
import threading


def write(n):
    while True:
        os.write(1 + n % 2, bytes([97 + n % 26]) * (1 + n * 997 % 65536))


me = 0
for n in range(1, 8):
    if os.fork() == 0:
        me = n
        break
for n in range(4):
    threading.Thread(target=write, args=(me * 5 + n,), daemon=True).start()
write(me * 5 + 4)
