# SPDX-License-Identifier: MIT
"""Fills /tmp beyond the memory limit."""
# needs: cgroup-memory
# paths: cold - folders of its own size; bomb_folders has the usual ones
# limits: timeout=20 memory=96MiB tmp_size=512MiB file_size=512MiB
# expect: status out-of-memory
# expect: memory < 112MiB
with open("/tmp/big", "wb", buffering=0) as f:
    while True:
        f.write(b"x" * (1 << 20))
