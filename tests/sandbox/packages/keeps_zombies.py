# SPDX-License-Identifier: MIT
"""Leaves children that have ended and that nobody reaps."""
import os

for _ in range(10):
    if os.fork() == 0:
        os._exit(0)
