# SPDX-License-Identifier: MIT
"""Takes memory after it is ready, by a child that stays."""
import os
import time

if os.fork() == 0:
    time.sleep(0.3)
    kept = []
    while True:
        kept.append(bytearray(8 << 20))
        time.sleep(0.01)
