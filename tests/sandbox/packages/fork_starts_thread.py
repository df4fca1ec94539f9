# SPDX-License-Identifier: MIT
"""Starts a thread in the zygote when the first run is forked, after the look at it."""
# warm: yes
import _thread
import ctypes
import os
import time

libc = ctypes.CDLL(None)
started = []


def start():
    if started:
        return
    own = os.readlink("/proc/self/ns/pid")
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + fd) == own:  # back from the box: a thread has to be where its process is
                libc.setns(int(fd), 0x20000000)
        except OSError:
            continue
    try:
        started.append(_thread.start_new_thread(time.sleep, (1000,)))
    except RuntimeError:
        pass


os.register_at_fork(after_in_parent=start)
