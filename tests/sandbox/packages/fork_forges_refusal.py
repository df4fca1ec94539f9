# SPDX-License-Identifier: MIT
"""Says of runs that have begun that they could not do what they were ordered, on ends of their hello sockets that it kept."""
# warm: yes
import os
import socket
import stat
import struct

FILES, ENOSPC = 7, 28
kept = []


def forge():
    for s in kept:
        try:
            s.send(struct.pack("<IIiI", ZYGOTE_VERSION, FILES, ENOSPC, 0))
        except OSError:
            pass
    for fd in range(4, 64):  # 3 is the control socket; the first behind it is the hello of the run that was forked now
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                kept.append(socket.socket(fileno=os.dup(fd)))
                return
        except OSError:
            continue


os.register_at_fork(after_in_parent=forge)
