# SPDX-License-Identifier: MIT
import os

# The parent does no more than wait.
if os.fork() == 0:
    kept = []
    while True:
        kept.append(bytearray(4 << 20))
os.wait()
print("parent lives", flush=True)
