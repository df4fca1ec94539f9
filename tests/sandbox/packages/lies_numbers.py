# SPDX-License-Identifier: MIT
"""Ready in the right version, with numbers as large as can be; then all is as usual."""
import os
import struct

try:
    os.write(3, struct.pack("<IIIIQ", ZYGOTE_VERSION, 2**32 - 1, 2**32 - 1, 2**32 - 1, 2**64 - 1))
except OSError:
    pass
