# SPDX-License-Identifier: MIT
"""Maps memory that all its runs share, and counts them in it."""
import mmap
import os

counter = mmap.mmap(-1, 4096)
os.register_at_fork(after_in_child=lambda: counter.__setitem__(0, counter[0] + 1 & 255))
