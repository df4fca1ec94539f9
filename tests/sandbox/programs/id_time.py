# SPDX-License-Identifier: MIT
"""The clock belongs to the host."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held clock_settime
import ctypes
import time

value = (ctypes.c_long * 2)(int(time.time()) + 86400, 0)
refused("clock_settime", 227, 0, ctypes.byref(value))
refused("settimeofday", 164, ctypes.byref(value), None)
timex = (ctypes.c_long * 32)()
timex[0] = 0x4000 | 1  # ADJ_TICK | ADJ_OFFSET
refused("adjtimex", 159, ctypes.byref(timex))
refused("clock_adjtime", 305, 0, ctypes.byref(timex))
raises("python", time.clock_settime, time.CLOCK_REALTIME, 0)
