# SPDX-License-Identifier: MIT
"""Tries to write through every mapping that is not its own alone, and to the pages
of the interpreter's own files; the next run reads them back."""
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held shared
import mmap

shared, tried = [], 0
with open("/proc/self/maps") as table:
    lines = table.readlines()
for line in lines:
    words = line.split()
    if words[1][1] + words[1][3] == "ws":
        shared.append(line.strip())
    if len(words) < 6 or not words[5].startswith("/") or words[1][3] != "p":
        continue
    low, high = (int(x, 16) for x in words[0].split("-"))
    for flags in (os.O_RDWR, os.O_WRONLY, os.O_RDWR | os.O_TRUNC):
        raises(f"open {os.path.basename(words[5])} {low:x} {flags:x}", os.open, words[5], flags)
    with open(words[5], "rb") as f:
        try:
            mmap.mmap(f.fileno(), 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
            hole(f"map {words[5]}")
        except (OSError, ValueError):
            pass
    # Through /proc/self/mem even pages that are read-only take a write: a copy of one's own.
    if "r-" in words[1]:
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(high - 16)
            old = memory.read(16)
            memory.seek(high - 16)
            try:
                memory.write(old[:8] + b"CUV" + old[11:])
                tried += 1
            except OSError:
                pass
            memory.seek(high - 16)
            try:
                memory.write(old)
            except OSError:
                pass
check("shared", not shared, shared[:3])
held("written to", tried)
# ---- the next run
different, looked = [], 0
with open("/proc/self/maps") as table, open("/proc/self/mem", "rb", buffering=0) as memory:
    for line in table.readlines():
        words = line.split()
        if len(words) < 6 or not words[5].startswith("/") or words[1] not in ("r--p", "r-xp") or ".py" in words[5]:
            continue
        low, high = (int(x, 16) for x in words[0].split("-"))
        if words[1] != "r-xp":
            continue
        memory.seek(low)
        mine = memory.read(high - low)
        with open(words[5], "rb") as f:
            f.seek(int(words[2], 16))
            there = f.read(high - low)
        looked += len(there)
        if mine[:len(there)] != there:
            different.append(words[5])
check("code", not different and looked > 1 << 20, (different, looked))
