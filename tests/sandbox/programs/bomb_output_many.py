# SPDX-License-Identifier: MIT
"""Eight processes flood both streams at once, one with single bytes."""
# limits: timeout=20 stdout_limit=65536 stderr_limit=65536
# expect: status output-limit
# expect: stdout_bytes <= 65536
# expect: stderr_bytes <= 65536
# expect: wall < 8
import os

me = 0
for n in range(1, 8):
    if os.fork() == 0:
        me = n
        break
block = b"." if me == 7 else b"x" * 65536
while True:
    os.write(1 + me % 2, block)
