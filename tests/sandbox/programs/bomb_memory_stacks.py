# SPDX-License-Identifier: MIT
"""Stacks: deep ones, and many."""
# needs: cgroup-memory
# limits: timeout=15 memory=96MiB processes=60
# expect: status out-of-memory
# expect: memory < 112MiB
import threading

threading.stack_size(64 << 20)
sys.setrecursionlimit(10**9)


def deep(n):
    block = bytes(100) + n.to_bytes(8, "little")
    return deep(n + 1) + len(sorted([block, block], key=lambda b: b))


threads = [threading.Thread(target=deep, args=(0,)) for _ in range(20)]
kept = []
for t in threads:
    t.start()
while True:
    kept.append(bytearray(1 << 20))
