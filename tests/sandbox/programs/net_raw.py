# SPDX-License-Identifier: MIT
"""Raw and ping sockets."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held icmp
import socket

raises("icmp", socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
raises("icmp6", socket.socket, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
raises("raw", socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
raises("ping", socket.socket, socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
