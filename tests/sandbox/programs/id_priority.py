# SPDX-License-Identifier: MIT
"""More than its share: nice, real-time classes, the order in which memory is reclaimed."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held nice
raises("nice", os.nice, -5)
for policy, name in ((os.SCHED_FIFO, "fifo"), (os.SCHED_RR, "rr")):
    raises(name, os.sched_setscheduler, 0, policy, os.sched_param(1))
import struct

deadline = struct.pack("IIQiIQQQ", 48, 6, 0, 0, 0, 10_000_000, 20_000_000, 20_000_000)
result, error = syscall(314, 0, deadline, 0)  # sched_setattr
check("deadline", result == -1, error)
result, error = syscall(251, 1, 0, (1 << 13) | 0)  # ioprio_set, real time
check("ioprio", result == -1, error)
raises("oom score", lambda: open("/proc/self/oom_score_adj", "w", buffering=1).write("-500\n"))
