# SPDX-License-Identifier: MIT
"""The child skips its own seal: says hello itself, with all rights it still has."""
import array
import os
import socket
import struct
import time


def hello():
    for fd in range(3, 64):
        try:
            s = socket.socket(fileno=os.dup(fd))
            if s.family == socket.AF_UNIX:
                s.send(struct.pack("<IIiI", ZYGOTE_VERSION, 0, 0, 0))
        except OSError:
            continue
    time.sleep(100000)


os.register_at_fork(after_in_child=hello)
