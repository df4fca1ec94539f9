# SPDX-License-Identifier: MIT
"""A record lock on every second byte: small things of the kernel, many of them."""
# needs: cgroup-memory
# limits: timeout=15 memory=64MiB
# expect: status success out-of-memory error killed
# expect: memory < 80MiB
import fcntl

fd, n = os.open("/tmp/locked", os.O_CREAT | os.O_RDWR), 0
try:
    for n in range(12000):
        fcntl.lockf(fd, fcntl.LOCK_EX, 1, n * 2)
except OSError as error:
    print(error)
print("locks", n)
