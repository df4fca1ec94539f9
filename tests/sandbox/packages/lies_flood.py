# SPDX-License-Identifier: MIT
"""Floods the control socket from a child that stays."""
import os
import struct

if os.fork() == 0:
    while True:
        try:
            os.write(3, struct.pack("<IIIIQ", ZYGOTE_VERSION, 1, 0, 0, 1))
        except OSError:
            pass
