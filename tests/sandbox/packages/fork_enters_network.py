# SPDX-License-Identifier: MIT
"""Enters the box's own namespaces from the zygote, and stays in them."""
import ctypes
import os

libc = ctypes.CDLL(None)


def enter():
    for fd in range(4, 64):
        for kind in (0x40000000, 0x08000000, 0x04000000, 0x02000000, 0x00020000):
            libc.setns(fd, kind)


os.register_at_fork(before=enter)
