# SPDX-License-Identifier: MIT
"""Firewall tables and other options of sockets whose code has been broken before."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held netlink
import socket

raises("netlink", socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, 12)
for family, level in ((socket.AF_INET, 0), (socket.AF_INET6, 41)):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            s = socket.socket(family, kind)
        except OSError:
            continue
        for option in (64, 65, 96, 97, 1024, 0x480):
            raises(f"table {level} {option}", s.setsockopt, level, option, b"\0" * 128)
        raises("device", s.setsockopt, socket.SOL_SOCKET, 25, b"eth0\0")
        raises("mark", s.setsockopt, socket.SOL_SOCKET, 36, b"\1\0\0\0")
        raises("attach", s.setsockopt, socket.SOL_SOCKET, 50, b"\0\0\0\0")
        raises("force buffer", s.setsockopt, socket.SOL_SOCKET, 32, b"\0\0\0\x10")
        raises("layer", s.setsockopt, 6, 31, b"tls\0") if kind == socket.SOCK_STREAM else None
