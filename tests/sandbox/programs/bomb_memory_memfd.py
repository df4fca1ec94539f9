# SPDX-License-Identifier: MIT
"""Memory hidden in files without a name."""
# needs: cgroup-memory
# limits: timeout=20 memory=96MiB file_size=512MiB
# expect: status out-of-memory
# expect: memory < 112MiB
import os

fd = os.memfd_create("hidden")
while True:
    os.write(fd, b"x" * (1 << 20))
