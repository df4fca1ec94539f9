# SPDX-License-Identifier: MIT
"""Touches one page in every 2 MiB: page tables take what the data does not."""
# needs: cgroup-memory
# limits: timeout=30 memory=64MiB
# expect: status out-of-memory
# expect: memory < 80MiB
import mmap

STEP = 2 << 20
maps = []
while True:
    m = mmap.mmap(-1, 16 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)  # MAP_NORESERVE
    for at in range(0, 16 << 30, STEP):
        m[at] = 1
    maps.append(m)
