# SPDX-License-Identifier: MIT
"""Says that it is ready before it is, and then again."""
import os
import struct

for _ in range(2):
    try:
        os.write(3, struct.pack("<IIIIQ", ZYGOTE_VERSION, 1, 0, 0, 1))
    except OSError:
        pass  # in a run there is no such descriptor
