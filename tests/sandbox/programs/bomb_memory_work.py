# SPDX-License-Identifier: MIT
"""Fills the work folder beyond the memory limit: its pages are memory."""
# needs: cgroup-memory
# paths: cold - folders of its own size; bomb_folders has the usual ones
# limits: timeout=20 memory=96MiB work_size=512MiB file_size=512MiB
# expect: status out-of-memory
# expect: memory < 112MiB
with open("/box/big", "wb", buffering=0) as f:
    while True:
        f.write(b"x" * (1 << 20))
