# SPDX-License-Identifier: MIT
"""Waits for a child that waits for it."""
# limits: timeout=1
# expect: status timeout
# expect: wall < 4
import os

r, w = os.pipe()
if os.fork() == 0:
    os.read(r, 1)
os.wait()
