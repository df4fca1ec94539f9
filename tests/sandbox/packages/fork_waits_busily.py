# SPDX-License-Identifier: MIT
"""A run that waits for its program computes meanwhile, by a timer whose handler is native."""
# warm: yes
import ctypes
import os
import signal

libc = ctypes.CDLL(None)


def busy():
    libc.signal(signal.SIGALRM, ctypes.cast(libc.getpid, ctypes.c_void_p))
    signal.setitimer(signal.ITIMER_REAL, 0.3, 0.00002)


os.register_at_fork(after_in_child=busy)
