# SPDX-License-Identifier: MIT
"""Names: no resolver answers, no name server is reached."""
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held example
import socket

raises("example", socket.getaddrinfo, "example.com", 443)
raises("host by name", socket.gethostbyname, "example.invalid")
