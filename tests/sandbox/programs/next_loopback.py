# SPDX-License-Identifier: MIT
"""Uses the loopback hard: connections in every state, half of them never closed.
The next run's network must count nothing of it."""
# limits: timeout=15 descriptors=512
# expect: status success
# expect: stdout ~ ^used
import socket

kept = []
try:
    server = socket.socket()
    server.bind(("127.0.0.1", 47811))
    server.listen(100)
    for n in range(60):
        a = socket.create_connection(("127.0.0.1", 47811))
        b = server.accept()[0]
        a.sendall(b"x" * 1000)
        if n % 3 == 0:
            b.close()
        kept += [a, b]
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for n in range(200):
        u.sendto(b"x" * 500, ("127.0.0.1", 1000 + n))
except OSError as error:
    print(error)
print("used", len(kept), flush=True)
os._exit(0)
# ---- the next run
import socket

server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
rows = [line for name in ("tcp", "tcp6", "udp") for line in read("/proc/self/net/" + name).decode().splitlines()[1:]]
check("sockets", not rows, rows[:2])
carried = [line.split()[1] for line in read("/proc/self/net/dev").decode().splitlines() if line.strip().startswith("lo:")]
check("counters", carried in ([], ["0"]), carried)
try:
    server.bind(("127.0.0.1", 47811))
    held("port")
except OSError as error:
    hole("port", error)
