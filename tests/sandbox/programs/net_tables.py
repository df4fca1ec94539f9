# SPDX-License-Identifier: MIT
"""/proc/self/net lists nothing of the host: no socket, no route, no neighbour."""
# with: tcp abstract
# args: {tcp_port} {abstract}
# limits: timeout=10
# outside: fails
# expect: status success
# expect: stdout ~ ^held tables
port, abstract = int(sys.argv[1]), sys.argv[2]
seen = []
for name in ("tcp", "tcp6", "udp", "udp6", "raw", "packet", "netlink", "unix", "route", "arp"):
    try:
        text = read(f"/proc/self/net/{name}").decode(errors="replace")
    except OSError:
        continue
    if name in ("tcp", "tcp6", "udp", "udp6", "raw", "route", "arp") and len(text.splitlines()) > (2 if name == "udp6" else 1):
        seen.append(name)
    if f":{port:04X}" in text or abstract in text:
        seen.append(name + " of the host")
check("tables", not seen, seen)
