# SPDX-License-Identifier: MIT
"""Every address family there is, with every type of socket."""
# limits: timeout=20
# outside: fails
# expect: status success
# expect: stdout ~ ^held families
import socket

PLAIN = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6}
opened = []
for family in range(0, 64):
    for kind in (1, 2, 3, 4, 5, 6, 10):
        for protocol in (0, 1, 2, 16, 132, 136, 255):
            fd, error = syscall(41, family, kind, protocol)
            if fd >= 0:
                os.close(fd)
                # A raw Unix socket is a datagram socket by another name.
                if family not in PLAIN or (kind not in (1, 2, 5) and (family, kind) != (1, 3)):
                    opened.append((family, kind, protocol))
check("families", not opened, opened[:20])
for family in (16, 17, 38, 40, 44):
    name = {16: "netlink", 17: "packet", 38: "alg", 40: "vsock", 44: "xdp"}[family]
    got = [syscall(41, family, kind, 0)[0] for kind in (1, 2, 3, 5)]
    check(name, all(fd == -1 for fd in got), got)
