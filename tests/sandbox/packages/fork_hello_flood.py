# SPDX-License-Identifier: MIT
"""The hello socket, flooded, by the parent and the child."""
import os
import socket


def flood():
    for fd in range(3, 64):
        try:
            s = socket.socket(fileno=os.dup(fd))
            if s.family == socket.AF_UNIX:
                s.setblocking(False)
                for _ in range(500):
                    s.send(b"\xff" * 4096)
        except OSError:
            continue


os.register_at_fork(before=flood, after_in_parent=flood, after_in_child=flood)
