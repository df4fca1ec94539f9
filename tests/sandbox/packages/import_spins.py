# SPDX-License-Identifier: MIT
"""Its import burns all the CPU time there is, in as many processes as it gets."""
# import: no
import os

for _ in range(64):
    try:
        if os.fork() == 0:
            break
    except OSError:
        break
while True:
    pass
