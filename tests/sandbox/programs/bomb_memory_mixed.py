# SPDX-License-Identifier: MIT
"""Memory in eight places at once, by eight processes: heap, shared, tmpfs, memfd,
pipes, sockets, page tables, stacks. The sum counts."""
# needs: cgroup-memory
# limits: timeout=20 memory=128MiB descriptors=512
# expect: status out-of-memory
# expect: memory < 144MiB
import mmap
import socket
import threading


def heap():
    return bytearray(1 << 20)


def shared():
    m = mmap.mmap(-1, 1 << 20)
    m.write(b"x" * (1 << 20))
    return m


def tmpfs():
    with open("/tmp/big", "ab") as f:
        f.write(b"x" * (1 << 18))


def memfd():
    fd = os.memfd_create("x")
    os.write(fd, b"x" * (1 << 20))
    return fd


def pipe():
    r, w = os.pipe()
    os.set_blocking(w, False)
    os.write(w, b"x" * 65536)
    return r, w


def sockets():
    a, b = socket.socketpair()
    a.setblocking(False)
    a.send(b"x" * 100000)
    return a, b


def tables():
    m = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
    for at in range(0, 1 << 30, 2 << 20):
        m[at] = 1
    return m


def stack():
    threading.stack_size(8 << 20)
    event = threading.Event()
    threading.Thread(target=lambda: (bytearray(1 << 16), event.wait()), daemon=True).start()
    return event


kept = []
for way in (shared, tmpfs, memfd, pipe, sockets, tables, stack):
    if os.fork() == 0:
        break
else:
    way = heap
while True:
    try:
        kept.append(way())
    except OSError:
        way = heap
