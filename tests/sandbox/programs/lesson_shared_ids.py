# SPDX-License-Identifier: MIT
"""Limits that count by user id: a run that uses them up must leave others theirs."""
# with: victim
# args: {secret}
# limits: timeout=12 processes=60 descriptors=256
# expect: status success
# expect: stdout ~ ^used
import ctypes
import fcntl
import socket
import time

kept, used = [], {}
try:
    for n in range(55):
        if os.fork() == 0:
            time.sleep(8)
            os._exit(0)
        used["processes"] = n
except OSError:
    pass
for n in range(100):
    r, w = os.pipe()
    try:
        fcntl.fcntl(w, 1031, 1 << 20)
        used["pipes"] = n
    except OSError:
        pass
    kept += [r, w]
    if n > 90:
        break
slot = ctypes.c_int()
while syscall(222, 1, 0, ctypes.byref(slot))[0] == 0 and used.get("timers", 0) < 5000:
    used["timers"] = used.get("timers", 0) + 1
for pid in range(2):
    for _ in range(200):
        try:
            os.kill(os.getpid(), 0)
        except OSError:
            break
print("used", used, flush=True)
time.sleep(2.5)
os._exit(0)
