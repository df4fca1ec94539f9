# SPDX-License-Identifier: MIT
"""What an ancestor knew: its arguments, its environment, open folders, paths in memory."""
# args: {service_secret}
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held memory
secret = sys.argv[1][::-1].encode()
low, hits = 0, []
with open("/proc/self/maps") as table, open("/proc/self/mem", "rb", buffering=0) as memory:
    for line in table.readlines():
        words = line.split()
        low, high = (int(x, 16) for x in words[0].split("-"))
        if words[1][0] != "r" or "[v" in line or high - low > 1 << 28 or words[1][1] != "w":
            continue
        memory.seek(low)
        try:
            data = memory.read(high - low) or b""
        except OSError:
            continue
        at = data.find(b"CUV_ESCAPE_SECRET=")
        if at >= 0 and data[at:at + 60].find(secret) > 0:
            hits.append(hex(low + at))
check("memory", not hits, hits)
for name in ("environ", "cmdline"):
    check(name, secret not in read(f"/proc/self/{name}"))
named = [k for k in os.environ if k.startswith(("CUV", "REDIS", "UV_", "PIP_", "API_"))]
check("environment", not named, named)
