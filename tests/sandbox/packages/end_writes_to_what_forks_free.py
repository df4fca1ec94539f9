# SPDX-License-Identifier: MIT
"""An interpreter's end writes to memory that a fork has given back: in the zygote's rehearsal it is there."""
# warm: yes
import atexit
import os

held = [bytearray(1 << 20) for _ in range(8)]


def write():
    for block in held:
        for at in range(0, len(block), 4096):
            block[at] = 1


write()
os.register_at_fork(before=held.clear)
atexit.register(write)
