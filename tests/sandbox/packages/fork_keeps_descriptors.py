# SPDX-License-Identifier: MIT
"""Keeps every descriptor of every order: namespaces pinned, sockets and streams held."""
import os

kept = []


def keep():
    for fd in range(4, 128):
        try:
            kept.append(os.dup(fd))
        except OSError:
            pass


os.register_at_fork(before=keep)
