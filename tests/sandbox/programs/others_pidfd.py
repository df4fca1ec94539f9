# SPDX-License-Identifier: MIT
"""Handles on processes by number, and descriptors out of them."""
# with: victim
# args: {secret}
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held pidfds
got = []
for pid in range(1, 5000):
    if pid == os.getpid():
        continue
    fd, _ = syscall(434, pid, 0)  # pidfd_open
    if fd >= 0:
        if pid not in (1, os.getppid()):
            got.append(pid)
        for target in range(0, 16):
            stolen, _ = syscall(438, fd, target, 0)  # pidfd_getfd
            if stolen >= 0:
                hole(f"descriptor {target} of {pid}")
        os.close(fd)
check("pidfds", not got, got[:10])
