# SPDX-License-Identifier: MIT
"""Files of a size that no copy could hold, thousands of names for one file, holes
and reserved space."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held blocks
# expect: memory < 200MiB
big = os.open("/box/sparse", os.O_CREAT | os.O_RDWR)
for size in (1 << 62, 1 << 43, 1 << 40, 1 << 33, 1 << 30):
    try:
        os.ftruncate(big, size)
        break
    except OSError as error:
        print(size, error)
for mode in (0, 1, 2, 8, 16, 32):
    try:
        syscall(285, big, mode, 0, 1 << 40)
    except OSError:
        pass
try:
    os.pwrite(big, b"x", (1 << 40))
except OSError as error:
    print(error)
names = 0
try:
    for names in range(3000):
        os.link("/box/sparse", f"/box/name-{names}")
except OSError as error:
    print(error)
kept = os.statvfs("/box")
check("blocks", kept.f_blocks * kept.f_frsize <= 1 << 30, kept.f_blocks * kept.f_frsize)
print("names", names)
