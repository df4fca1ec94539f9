# SPDX-License-Identifier: MIT
"""A daemon that listens on abstract names, files and loopback for the run after."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^listening
import socket

kept = []
for n, kind in enumerate((socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)):
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(f"\0cuvette-escape-mark-{n}")
    kept.append(s)
    if n != 1:
        s.listen()
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET, "0.0.0.0")):
    try:
        s = socket.socket(family)
        s.bind((host, 47900 + len(kept)))
        s.listen()
        kept.append(s)
    except OSError:
        pass
r, w = os.pipe()
if os.fork() == 0:
    os.setsid()
    os.write(w, b"x")
    while True:
        signal.pause()
os.read(r, 1)
print("listening", len(kept))
# ---- the next run
import socket

for n, kind in enumerate((socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)):
    raises(f"abstract {n}", socket.socket(socket.AF_UNIX, kind).connect, f"\0cuvette-escape-mark-{n}")
for port in range(47900, 47910):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        s = socket.socket(family)
        s.settimeout(1)
        raises(f"port {port} {host}", s.connect, (host, port))
