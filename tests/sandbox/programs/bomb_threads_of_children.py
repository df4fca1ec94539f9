# SPDX-License-Identifier: MIT
"""Threads in many processes: they count together against the limit."""
# needs: cgroup-pids
# limits: timeout=10 processes=48
# expect: status success
# expect: stdout ~ ^held limit
import threading
import time

gate = threading.Event()
r, w = os.pipe()
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
            time.sleep(8)
            os._exit(0)
    except OSError:
        break
time.sleep(1.5)
os.set_blocking(r, False)
counts = [int(n) for n in os.read(r, 10000).split()]
check("limit", 1 <= sum(counts) + 1 <= 48, counts)
