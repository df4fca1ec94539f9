# SPDX-License-Identifier: MIT
"""Counts the threads it can have at once."""
# needs: cgroup-pids
# limits: timeout=10 processes=40
# expect: status success
# expect: stdout ~ ^held limit
import os
import threading

gate = threading.Event()
born = 0
try:
    for _ in range(600):
        threading.Thread(target=gate.wait, daemon=True).start()
        born += 1
except RuntimeError:
    pass
check("limit", 1 <= born < 40, f"{born} threads")
gate.set()
