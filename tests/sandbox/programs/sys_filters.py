# SPDX-License-Identifier: MIT
"""Filters for sockets and for itself: the kernel compiles them into memory of which the whole machine has one
small pool that no group is charged for, and without which no box is sealed."""
# expect: status success
# expect: stdout ~ ^held socket filter
import ctypes
import socket
import struct

rules = ctypes.create_string_buffer(struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000))
program = struct.pack("<HxxxxxxQ", 1, ctypes.addressof(rules))
for name, option in (("socket filter", 26), ("socket program", 50), ("port filter", 51), ("port program", 52)):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        value = program if "filter" in name else struct.pack("i", 3)
        raises(name, s.setsockopt, socket.SOL_SOCKET, option, value, errors=(errno.EPERM,))
pair = socket.socketpair()
raises("filter of a pair", pair[0].setsockopt, socket.SOL_SOCKET, 26, program, errors=(errno.EPERM,))
SECCOMP = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
buffer = ctypes.create_string_buffer(program)
for flags in (0, 1, 2, 8):
    refused(f"filter of its own, flags {flags}", SECCOMP, 1, flags, buffer, errors=(errno.EINVAL,))
PRCTL = {"x86_64": 157, "aarch64": 167}[os.uname().machine]
refused("the older way", PRCTL, 22, 2, buffer, errors=(errno.EINVAL,))
