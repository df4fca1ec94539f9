# SPDX-License-Identifier: MIT
"""Leaves threads that run on."""
import threading
import time

for _ in range(4):
    threading.Thread(target=time.sleep, args=(100000,), daemon=True).start()
