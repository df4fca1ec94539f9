# SPDX-License-Identifier: MIT
"""Timers, event files and watches: small objects of the kernel, without end."""
# needs: cgroup-memory
# limits: timeout=15 memory=96MiB descriptors=1024
# expect: status success out-of-memory
# expect: memory < 112MiB
import ctypes

timers = 0
slot = ctypes.c_int()
while timers < 2_000_000:
    if syscall(222, 1, 0, ctypes.byref(slot))[0] == -1:  # timer_create
        break
    timers += 1
opened = 0
while opened < 5000:
    if syscall(294, 0)[0] == -1 and syscall(290, 0, 0)[0] == -1:  # inotify_init1, eventfd2
        break
    opened += 1
check("timers", timers < 2_000_000, timers)
check("files", opened <= 1024, opened)
