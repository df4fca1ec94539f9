# SPDX-License-Identifier: MIT
"""A victim runs beside: its processes, memory and environment are looked for."""
# with: victim
# args: {secret}
# limits: timeout=20
# outside: fails
# expect: status success
# expect: stdout ~ ^held pids
# expect: stdout ~ ^held secret
secret = sys.argv[1].encode()[::-1]
mine = {os.getpid(), os.getppid()}
pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}
check("pids", pids <= mine, sorted(pids - mine)[:10])
found = []
for pid in range(1, 3000):
    if pid in mine and pid != 1:
        continue
    for name in ("environ", "cmdline", "maps", "comm", "status", "mountinfo"):
        try:
            text = read(f"/proc/{pid}/{name}")
        except OSError:
            continue
        if pid != 1 or secret in text:
            found.append((pid, name))
check("secret", not found, found[:10])
