# SPDX-License-Identifier: MIT
"""Memory shared between processes: mapped, written and dropped by each child."""
# needs: cgroup-memory
# limits: timeout=20 memory=96MiB
# expect: status out-of-memory
# expect: memory < 112MiB
import mmap

maps = []
while True:
    m = mmap.mmap(-1, 8 << 20)
    m.write(b"x" * (8 << 20))
    maps.append(m)
