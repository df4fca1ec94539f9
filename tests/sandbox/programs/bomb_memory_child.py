# SPDX-License-Identifier: MIT
"""A child takes the memory; the parent outlives it and ends well."""
# needs: cgroup-memory
# limits: timeout=20 memory=96MiB
# expect: status out-of-memory
# expect: memory < 112MiB
import os

if os.fork() == 0:
    kept = []
    while True:
        kept.append(bytearray(4 << 20))
os.wait()
print("parent lives", flush=True)
