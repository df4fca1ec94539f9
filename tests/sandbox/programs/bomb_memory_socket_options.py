# SPDX-License-Identifier: MIT
"""Memory that is tied to sockets: filters, groups joined, options, queued addresses."""
# needs: cgroup-memory
# limits: timeout=15 memory=64MiB descriptors=1024
# expect: status success out-of-memory
# expect: memory < 80MiB
import ctypes
import socket
import struct

rules = ctypes.create_string_buffer(struct.pack("<HBBI", 0x06, 0, 0, 0xFFFF) * 4000)
program = struct.pack("<HxxxxxxQ", 4000, ctypes.addressof(rules))
kept, joined = [], 0
for n in range(900):
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        kept.append(s)
        s.setsockopt(socket.SOL_SOCKET, 26, program)
    except OSError:
        continue
    for k in range(20):
        try:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(f"239.1.{n % 250}.{k + 1}") + socket.inet_aton("127.0.0.1"))
            joined += 1
        except OSError:
            break
print("sockets", len(kept), "joined", joined)
