# SPDX-License-Identifier: MIT
"""Memory in the buffers of socket pairs."""
# needs: cgroup-memory
# limits: timeout=20 memory=96MiB descriptors=1024
# expect: status success out-of-memory
# expect: memory < 112MiB
import socket

pairs, total = [], 0
try:
    while True:
        a, b = socket.socketpair()
        pairs.append((a, b))
        for s in (a, b):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
            s.setblocking(False)
            try:
                while True:
                    total += s.send(b"x" * 65536)
            except BlockingIOError:
                pass
except OSError as error:
    print("stopped at", total, error)
