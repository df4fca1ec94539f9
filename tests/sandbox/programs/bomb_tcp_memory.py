# SPDX-License-Identifier: MIT
"""Buffers of connections over the loopback with the usual memory limit: what the kernel sets aside for TCP is the whole
machine's, and a few runs should not be able to take it."""
# needs: cgroup-memory
# limits: timeout=15 descriptors=1024
# expect: status success out-of-memory
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
        a.setblocking(False)
        try:
            while total < 1 << 30:
                total += a.send(b"x" * 262144)
        except BlockingIOError:
            pass
except OSError as error:
    print(error)
print("buffered", total)
# Version 1 groups have an account of its own for it; version 2 ones count it as memory, where the run's limit stands.
own_account = b":memory:" in read("/proc/self/cgroup")
check("bounded", total <= (80 << 20 if own_account else 512 << 20), total)
