# SPDX-License-Identifier: MIT
"""At its end an interpreter writes to all that its import has allocated, which twice is more than a zygote may have."""
# warm: yes
import atexit

PAGE = 4096
held = bytearray(300 << 20)


def write():
    for at in range(0, len(held), PAGE):
        held[at] = 1


write()
atexit.register(write)
