# SPDX-License-Identifier: MIT
"""Descriptors parked in messages that nobody receives, sockets within sockets."""
# needs: cgroup-memory
# limits: timeout=15 memory=96MiB descriptors=256
# expect: status success out-of-memory
# expect: memory < 112MiB
import array
import socket

parked = 0
try:
    keep = socket.socketpair()
    while parked < 200_000:
        a, b = socket.socketpair()
        for _ in range(4):
            b.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [keep[0].fileno()] * 100))])
            parked += 100
        keep[0].close()
        keep[1].close()
        keep = a, b
except OSError as error:
    print("stopped", error)
check("parked", parked < 200_000, parked)
