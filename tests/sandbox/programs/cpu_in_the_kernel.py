# SPDX-License-Identifier: MIT
"""Spends its time in the kernel: random bytes, mapping and unmapping, copying."""
# needs: cgroup-cpu
# limits: timeout=20 cpu_time=1
# expect: status timeout
# expect: cpu < 2.5
import mmap

for n in range(4):
    if os.fork() == 0:
        break
while True:
    os.urandom(32 << 20)
    m = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000)
    m.close()
