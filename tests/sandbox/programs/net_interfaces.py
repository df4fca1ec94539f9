# SPDX-License-Identifier: MIT
"""What the network looks like from inside, and raising an interface."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held names
import fcntl
import socket
import struct

raises("by netlink", socket.if_nameindex)
try:
    names = [line.split(":")[0].strip() for line in read("/proc/self/net/dev").decode().splitlines()[2:]]
except OSError:
    names = []
check("names", set(names) <= {"lo"}, names)
try:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
except OSError as error:
    held("no sockets at all", error)
    sys.exit()
for interface in (b"lo", b"eth0", b"dummy0"):
    up = interface.ljust(16, b"\0") + struct.pack("H", 0x43) + bytes(14)
    raises(f"raise {interface.decode()}", fcntl.ioctl, s, 0x8914, up)  # SIOCSIFFLAGS
address = b"lo".ljust(16, b"\0") + struct.pack("HH4s", socket.AF_INET, 0, b"\x0a\0\0\1") + bytes(8)
raises("set address", fcntl.ioctl, s, 0x8916, address)  # SIOCSIFADDR
raises("tun", os.open, "/dev/net/tun", os.O_RDWR)
