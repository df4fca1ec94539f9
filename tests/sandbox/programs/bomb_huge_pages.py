# SPDX-License-Identifier: MIT
"""Huge pages come from a pool of the machine that no memory limit counts."""
# limits: timeout=10 memory=96MiB
# expect: status success
# expect: stdout ~ ^held map
import mmap

for shift in (0, 21, 30):
    try:
        m = mmap.mmap(-1, 1 << 30 if shift == 30 else 2 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000 | (shift << 26))
        m[0] = 1
        hole(f"map {shift}")
    except (OSError, ValueError) as error:
        held(f"map {shift}", error)
    fd, error = syscall(319, b"huge", 4 | (shift << 26))  # memfd_create, MFD_HUGETLB
    if fd < 0:
        held(f"memfd {shift}", errno.errorcode[error])
        continue
    try:
        mmap.mmap(fd, 2 << 20)[0] = 1
        hole(f"memfd {shift}")
    except (OSError, ValueError) as error:
        held(f"memfd {shift}", error)
