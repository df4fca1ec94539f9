# SPDX-License-Identifier: MIT
"""Leaves pipes, sockets, memfds and epolls open for the runs to meet in."""
import os
import select
import socket

kept = [os.pipe(), socket.socketpair(), os.memfd_create("cuvette-escape-kept"), select.epoll(), socket.socket(socket.AF_INET)]
for fd in range(3, 64):
    try:
        os.set_inheritable(fd, True)
    except OSError:
        pass
