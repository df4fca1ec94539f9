# SPDX-License-Identifier: MIT
"""Closes its streams and stays: their end is not the end of the run."""
# limits: timeout=1
# expect: status timeout
# expect: wall < 4
import os
import time

os.write(1, b"closing\n")
for fd in (0, 1, 2):
    os.close(fd)
time.sleep(1000)
