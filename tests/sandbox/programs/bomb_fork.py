# SPDX-License-Identifier: MIT
"""Forks without end. Held by the process limit; the clock ends it."""
# needs: cgroup-pids
# limits: timeout=2 processes=32
# expect: status timeout
# expect: wall < 6
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
