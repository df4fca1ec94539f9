# SPDX-License-Identifier: MIT
"""UDP datagrams to a host socket, on loopback and beyond, broadcast too."""
# with: udp
# args: {udp_port} {host_addresses} {far_addresses}
# limits: timeout=20
# outside: fails
# expect: status success
# expect: stdout ~ ^held loopback
import socket

port = int(sys.argv[1])
# The box's own loopback carries it, and says that nobody listens.
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    s.connect(("127.0.0.1", port))
    s.send(b"cuvette-escape")
    s.settimeout(1)
    s.recv(100)
    hole("loopback", "an answer")
except TimeoutError:
    hole("loopback", "somebody listens")
except OSError as error:
    held("loopback", error)
for address in sys.argv[2:]:
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    except OSError as error:
        held(f"broadcast {address}", error)
    raises(f"send {address}", s.sendto, b"cuvette-escape", (address, port))
