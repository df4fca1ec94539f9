# SPDX-License-Identifier: MIT
"""Has tens of thousands of mappings in many processes when its time is over."""
# limits: timeout=2 processes=32
# expect: status timeout
import mmap
import time

kept = []
try:
    for n in range(30000):
        kept.append(mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ if n % 2 else mmap.PROT_READ | mmap.PROT_WRITE))
except (OSError, ValueError):
    pass
for _ in range(4):
    if os.fork() == 0:
        break
time.sleep(100)
