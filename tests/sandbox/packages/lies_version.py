# SPDX-License-Identifier: MIT
"""Ready, by another version of the protocol, with numbers as large as can be."""
import os
import struct

try:
    os.write(3, struct.pack("<IIIIQ", 99, 2**32 - 1, 2**32 - 1, 2**32 - 1, 2**64 - 1))
except OSError:
    pass
