# SPDX-License-Identifier: MIT
"""Listens on abstract names and on the loopback in the zygote's network."""
import socket

kept = socket.socket(socket.AF_UNIX)
kept.bind("\0cuvette-escape-mark-zygote")
kept.listen()
tcp = socket.socket()
tcp.bind(("127.0.0.1", 47811))
tcp.listen()
