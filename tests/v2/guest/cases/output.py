# SPDX-License-Identifier: MIT
import os

while True:
    os.write(1, b"flood of output " * 4096)
