# SPDX-License-Identifier: MIT
"""Queues signals that nobody takes."""
# needs: cgroup-memory
# limits: timeout=20 memory=64MiB
# expect: status success out-of-memory
# expect: memory < 80MiB
signal.pthread_sigmask(signal.SIG_BLOCK, range(signal.SIGRTMIN, signal.SIGRTMAX))
import ctypes

info = (ctypes.c_int * 32)(signal.SIGRTMIN, 0, -1)
queued = 0
while queued < 1_000_000:
    result, _ = syscall(129, os.getpid(), signal.SIGRTMIN, ctypes.byref(info))  # rt_sigqueueinfo
    if result == -1:
        break
    queued += 1
# The kernel's own share of memory, which it takes whatever the limit is.
check("queue", queued < 70_000, queued)
