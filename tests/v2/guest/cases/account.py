# SPDX-License-Identifier: MIT
# What is counted: a second of CPU time, half of it a child's, and 48 MiB.
import os
import time


def burn():
    while time.process_time() < 0.5:
        pass


held = bytearray(48 << 20)
if os.fork() == 0:
    burn()
    os._exit(0)
os.wait()
burn()
print("counted", len(held))
