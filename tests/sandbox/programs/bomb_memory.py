# SPDX-License-Identifier: MIT
"""Takes memory without end."""
# needs: cgroup-memory
# limits: timeout=20 memory=96MiB
# expect: status out-of-memory
# expect: memory < 112MiB
kept = []
while True:
    kept.append(bytearray(4 << 20))
