# SPDX-License-Identifier: MIT
"""Fills its memory with a mark; the next run looks through all of its own."""
# args: {secret}
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^filled
import mmap

mark = ("cuvette-escape-memory-" + sys.argv[1]).encode()
kept = [mark + bytes([n % 256]) for n in range(20000)] + [bytearray(mark * 2000)]
for size in (4096, 1 << 20, 8 << 20):
    for flags in (mmap.MAP_PRIVATE, mmap.MAP_SHARED):
        m = mmap.mmap(-1, size, flags=flags | mmap.MAP_ANONYMOUS)
        m.write((mark * (size // len(mark)))[:size])
        kept.append(m)
print("filled")
# ---- the next run
# args: {secret_back}
# limits: timeout=20
mark = b"cuvette-" + b"escape-memory-" + sys.argv[1].encode()[:0]
secret = sys.argv[1][::-1].encode()
found, looked = [], 0
with open("/proc/self/maps") as table, open("/proc/self/mem", "rb", buffering=0) as memory:
    for line in table.readlines():
        span, mode = line.split()[:2]
        low, high = (int(x, 16) for x in span.split("-"))
        if mode[0] != "r" or "[v" in line or high - low > 1 << 28:
            continue
        memory.seek(low)
        try:
            data = memory.read(high - low) or b""
        except OSError:
            continue
        looked += len(data)
        at = data.find(mark + secret[:6])
        while at >= 0:
            found.append((hex(low + at), mode))
            at = data.find(mark + secret[:6], at + 1)
# Each piece of the search's own is made here and can be met: the pattern alone, no more.
check("memory", len(found) <= 4, found[:5])
check("looked", looked > 1 << 20, looked)
