# SPDX-License-Identifier: MIT
import os
import time

if os.fork() == 0:
    os.setsid()
print("asleep", flush=True)
time.sleep(300)
