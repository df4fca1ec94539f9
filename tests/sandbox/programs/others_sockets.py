# SPDX-License-Identifier: MIT
"""The victim listens on TCP and on an abstract socket."""
# with: victim
# args: {secret}
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held abstract
import socket

s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
raises("abstract", s.connect, "\0cuvette-victim-" + sys.argv[1])
for address in ("127.0.0.1", "::1"):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(1)
    raises(address, s.connect, (address, 47811))
