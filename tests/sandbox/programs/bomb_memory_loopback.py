# SPDX-License-Identifier: MIT
"""Buffers of connections over the loopback, opened as wide as they go."""
# needs: cgroup-memory
# limits: timeout=15 memory=64MiB descriptors=1024
# expect: status success out-of-memory
# expect: memory < 80MiB
import socket

server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(512)
kept, total = [], 0
try:
    for _ in range(300):
        a = socket.create_connection(server.getsockname())
        b = server.accept()[0]
        kept += [a, b]
        a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
        b.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        a.setblocking(False)
        try:
            while total < 1 << 30:
                total += a.send(b"x" * 262144)
        except BlockingIOError:
            pass
except OSError as error:
    print(error)
print("buffered", total)
# Version 1 groups count them by themselves, up to 32 MiB, version 2 ones as memory (docs/sandbox.md); no more than that.
check("bounded", total <= 80 << 20, total)
