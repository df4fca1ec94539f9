# SPDX-License-Identifier: MIT
"""A child that stays reads the orders meant for the zygote, and answers none."""
import os
import socket

if os.fork() == 0:
    try:
        s = socket.socket(fileno=3)
    except OSError:
        os._exit(0)  # in a run there is no such descriptor
    kept = []
    while True:
        try:
            kept.append(s.recvmsg(4096, 4096))
        except OSError:
            pass
