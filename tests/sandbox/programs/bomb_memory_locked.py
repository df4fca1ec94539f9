# SPDX-License-Identifier: MIT
"""Locks memory so that it can't be taken away, asks for huge pages, reserves all."""
# needs: cgroup-memory
# limits: timeout=15 memory=96MiB
# expect: status out-of-memory
# expect: memory < 112MiB
import ctypes
import mmap

print("mlockall", syscall(151, 1))
kept = []
while True:
    m = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(m))
    syscall(28, address, 4 << 20, 14)  # huge pages
    syscall(149, address, 4 << 20)  # mlock
    syscall(28, address, 4 << 20, 23)  # populate for writing
    m.write(b"x" * (4 << 20))
    kept.append(m)
