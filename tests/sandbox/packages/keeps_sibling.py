# SPDX-License-Identifier: MIT
"""Makes unknown children of the zygote's own parent, by CLONE_PARENT."""
import ctypes
import os
import signal

libc = ctypes.CDLL(None)
for _ in range(5):
    if libc.syscall(ctypes.c_long(56), ctypes.c_long(0x8000 | 17), *[ctypes.c_long(0)] * 4) == 0:
        while True:
            signal.pause()
for _ in range(5):
    if libc.syscall(ctypes.c_long(56), ctypes.c_long(0x8000 | 17), *[ctypes.c_long(0)] * 4) == 0:
        os._exit(77)
