# SPDX-License-Identifier: MIT
"""The launcher's own environment and command line, by every name /proc has for them."""
# args: {service_secret}
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held secrets
secret, seen = sys.argv[1][::-1].encode(), []
for pid in ("1", "self", "thread-self", str(os.getppid()), *map(str, range(2, 64))):
    for name in ("environ", "cmdline", "auxv", "task/1/environ", "mountinfo", "stack", "wchan", "sched", "numa_maps", "timers"):
        try:
            data = read(f"/proc/{pid}/{name}")
        except OSError:
            continue
        if secret in data or b"cuvette-launcher" in data or b"CUV_ESCAPE_SECRET" in data:
            seen.append(f"{pid}/{name}")
check("secrets", not seen, seen)
