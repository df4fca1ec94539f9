# SPDX-License-Identifier: MIT
"""Abstract unix sockets of the host: visible to all in one network namespace."""
# with: abstract
# args: {abstract}
# limits: timeout=10
# outside: fails
# expect: status success
# expect: stdout ~ ^held stream
import socket

for kind, name in ((socket.SOCK_STREAM, "stream"), (socket.SOCK_DGRAM, "dgram"), (socket.SOCK_SEQPACKET, "seqpacket")):
    s = socket.socket(socket.AF_UNIX, kind)
    raises(name, s.connect, "\0" + sys.argv[1])
