# SPDX-License-Identifier: MIT
"""Every mount is nosuid and nodev, and only scratch is writable."""
# limits: timeout=15
# outside: fails
# expect: status success
# expect: stdout ~ ^held flags
bad, writable = [], []
for line in read("/proc/self/mountinfo").decode().splitlines():
    fields = line.split()
    point, flags, source = fields[4], fields[5].split(","), fields[fields.index("-") + 1]
    # Single nodes bound into /dev are device files, and nothing can be made beside them.
    node = point.startswith("/dev/") and not os.path.isdir(point)
    if not node and ("nosuid" not in flags or ("nodev" not in flags and point != "/dev")):
        bad.append((point, flags))
    if "rw" in flags and source != "proc":
        writable.append(point)
check("flags", not bad, bad)
allowed = {"/box", "/tmp", "/dev/shm", "/home/cuvette"} | {"/dev/" + n for n in ("null", "zero", "full", "random", "urandom", "tty")}
check("writable", set(writable) <= allowed, writable)
