# SPDX-License-Identifier: MIT
"""Asks to be traced, makes its own child a tracer, takes the filter off by tracing."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held traceme
import time

refused("traceme", 101, 0, 0, 0, 0)
me = os.getpid()
syscall(157, 0x59616D61, -1, 0, 0, 0)  # anybody may trace me
child = os.fork()
if child == 0:
    result, error = syscall(101, 0x4206, me, 0, 0x200000)  # seize and suspend the filter
    os._exit(0 if result == -1 and error in REFUSALS else 1)
check("seize", os.waitpid(child, 0)[1] == 0)
check("untraced", status_field(read("/proc/self/status").decode(), "TracerPid") == "0")
