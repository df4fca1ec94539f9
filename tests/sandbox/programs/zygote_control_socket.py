# SPDX-License-Identifier: MIT
"""Any descriptor that might lead to a zygote, a box maker or a keeper: talks to it
in every way a socket can be talked to."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held sockets
import array
import socket
import stat

seen = []
for fd in range(3, 4096):
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        continue
    link = os.readlink(f"/proc/self/fd/{fd}")
    if not (stat.S_ISREG(mode) and link == "/box/main.py"):
        seen.append((fd, link))
    if stat.S_ISSOCK(mode):
        s = socket.socket(fileno=os.dup(fd))
        for data in (b"", b"\1\0\0\0" * 6, b"\1\0\1\0" + b"\0" * 100):
            try:
                s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1, 2]))])
                hole(f"sent on {fd}")
            except OSError:
                pass
check("sockets", not seen, seen)
fdinfo = [n for n in os.listdir("/proc/self/fdinfo") if int(n) > 3]
check("listed", len(fdinfo) <= 1, fdinfo)
