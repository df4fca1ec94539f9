# SPDX-License-Identifier: MIT
"""In the moment of a fork, makes siblings of its own in the box, with the zygote's rights."""
import ctypes
import os
import time

libc = ctypes.CDLL(None)


def sibling():
    if libc.syscall(ctypes.c_long(56), ctypes.c_long(0x8000 | 17), *[ctypes.c_long(0)] * 4) == 0:
        time.sleep(100000)


os.register_at_fork(before=sibling)
