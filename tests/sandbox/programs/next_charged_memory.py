# SPDX-License-Identifier: MIT
"""Leaves as much charged to its group as it can: cached pages, folder entries,
sockets. The next run must have all of its own memory."""
# needs: cgroup-memory
# limits: timeout=20 memory=256MiB
# expect: status success
# expect: stdout ~ ^charged
import glob

for path in glob.iglob("/usr/lib/python3*/**", recursive=True):
    try:
        with open(path, "rb") as f:
            f.read()
    except OSError:
        pass
for n in range(3000):
    try:
        os.stat(f"/tmp/no such file {n}")
    except OSError:
        pass
with open("/tmp/big", "wb") as f:
    f.write(b"x" * (40 << 20))
print("charged")
# ---- the next run
# limits: timeout=20 memory=64MiB
kept = bytearray(40 << 20)
for at in range(0, len(kept), 4096):
    kept[at] = 1
held("memory")
