# SPDX-License-Identifier: MIT
"""TCP to the host's loopback, to the host's own address and to the outside.
Arguments: the port of a listener that the suite keeps on the host, the host's addresses."""
# with: tcp
# args: {tcp_port} {host_addresses} {far_addresses}
# limits: timeout=20
# outside: fails
# expect: status success
# expect: stdout ~ ^held 127.0.0.1
import socket

port = int(sys.argv[1])
# The box has a loopback of its own: there, nobody answers. Beyond it is no route.
OWN = ("127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::ffff:127.0.0.1")
for address in list(OWN) + sys.argv[2:]:
    try:
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(1)
        s.connect((address, port))
        hole(address)
    except TimeoutError:
        hole(address, "packets went somewhere: the time ran out")
    except ConnectionRefusedError:
        check(address, address in OWN, "refused")
    except OSError as error:
        held(address, error)
