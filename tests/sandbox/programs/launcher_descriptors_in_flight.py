# SPDX-License-Identifier: MIT
"""Descriptors that live in sockets in descriptors in sockets, in circles: only the
kernel's own collector ever closes them."""
# needs: cgroup-memory
# limits: timeout=15 memory=128MiB descriptors=256
# expect: status success
# expect: stdout ~ ^circles
import array
import socket

circles = 0
try:
    for n in range(300):
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        files = [os.open("/tmp/held", os.O_CREAT | os.O_RDWR)]
        os.write(files[0], b"x" * 10000)
        for s, o in ((a, b), (b, a)):
            s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [o.fileno(), s.fileno(), *files]))])
        a.close()
        b.close()
        os.close(files[0])
        circles += 1
except OSError as error:
    print(error)
print("circles", circles)
# ---- the next run
import socket

pairs = [socket.socketpair() for _ in range(20)]
rows = read("/proc/self/net/unix").decode().splitlines()[1:]
check("sockets", len(rows) <= 44, len(rows))
