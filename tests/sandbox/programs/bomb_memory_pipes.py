# SPDX-License-Identifier: MIT
"""Memory in the kernel's pipe buffers, as large as they can be made."""
# needs: cgroup-memory
# limits: timeout=20 memory=96MiB descriptors=1024
# expect: status success out-of-memory
# expect: memory < 112MiB
import fcntl
import os

total = 0
try:
    while True:
        r, w = os.pipe()
        try:
            fcntl.fcntl(w, 1031, 1 << 20)  # F_SETPIPE_SZ
        except OSError:
            pass
        os.set_blocking(w, False)
        try:
            while True:
                total += os.write(w, b"x" * 65536)
        except BlockingIOError:
            pass
except OSError as error:
    print("stopped at", total, error)
