# SPDX-License-Identifier: MIT
"""Leaves children in the box's process namespace that nobody reaps: the end of the
box's init would wait for them."""
import ctypes
import os

libc = ctypes.CDLL(None)


def leave():
    for _ in range(3):
        if libc.syscall(ctypes.c_long(56), ctypes.c_long(0), *[ctypes.c_long(0)] * 4) == 0:
            libc._exit(0)


os.register_at_fork(before=leave)
