# SPDX-License-Identifier: MIT
"""Writes over its own code and constants by /proc/self/mem and by mprotect: the
pages become its own, never the file's or a later run's."""
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^written
import ctypes

written = 0
with open("/proc/self/maps") as table:
    lines = [line.split() for line in table]
with open("/proc/self/mem", "r+b", buffering=0) as memory:
    for words in lines:
        if len(words) > 5 and words[5].startswith("/") and words[1] in ("r--p", "r-xp"):
            low, high = (int(x, 16) for x in words[0].split("-"))
            memory.seek(high - 4096)
            page = memory.read(4096)
            at = page.rfind(b"\0" * 32)  # the rest of a page that nothing uses
            if at < 0:
                continue
            memory.seek(high - 4096 + at)
            try:
                memory.write(b"cuvette-" + b"escape-page")
                written += 1
            except OSError:
                pass
print("written", written)
# ---- the next run
mark, found, looked = b"cuvette-" + b"escape-page", [], 0
with open("/proc/self/maps") as table:
    lines = [line.split() for line in table]
for path in {words[5] for words in lines if len(words) > 5 and words[5].startswith("/") and ".py" not in words[5]}:
    data = read(path, 1 << 27)
    looked += len(data)
    found += [path] if mark in data else []
check("files", not found and looked > 1 << 20, (found, looked))
