# SPDX-License-Identifier: MIT
"""Threads that fault and change the same address space: the killer must not wait for its lock."""
# limits: timeout=1 memory=256MiB
# expect: status timeout
import ctypes
import threading

libc = ctypes.CDLL(None)
libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def churn():
    while True:
        at = libc.mmap(None, 8 << 20, 3, 0x8022, -1, 0)
        libc.mprotect(at, 4 << 20, 1)
        libc.munmap(at, 8 << 20)


for _ in range(12):
    threading.Thread(target=churn).start()
