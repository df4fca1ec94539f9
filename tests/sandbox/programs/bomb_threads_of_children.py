# SPDX-License-Identifier: MIT
"""Threads in many processes: they count together against the limit."""
# needs: cgroup-pids
# limits: timeout=30 processes=48
# expect: status success
# expect: stdout ~ ^held limit
import threading
import time

gate = threading.Event()
r, w = os.pipe()
children = 0
for _ in range(8):
    try:
        if os.fork() == 0:
            born = 1
            try:
                for _ in range(100):
                    threading.Thread(target=gate.wait, daemon=True).start()
                    born += 1
            except RuntimeError:
                pass
            os.write(w, b"%d\n" % born)
            time.sleep(100)
            os._exit(0)
        children += 1
    except OSError:
        break
told = b""
while told.count(b"\n") < children:  # each has all that it gets, and keeps it
    told += os.read(r, 10000)
counts = [int(n) for n in told.split()]
check("limit", 1 <= sum(counts) + 1 <= 48, counts)
