# SPDX-License-Identifier: MIT
"""A run that waits for its program takes more memory all the time, by a timer whose handler is the allocator."""
# warm: yes
# accepts: killed error - a handler that allocates breaks the heap of its own runs
import ctypes
import os
import signal

libc = ctypes.CDLL(None)


def take():
    libc.signal(signal.SIGALRM, ctypes.cast(libc.valloc, ctypes.c_void_p))
    signal.setitimer(signal.ITIMER_REAL, 0.3, 0.0005)


os.register_at_fork(after_in_child=take)
