# SPDX-License-Identifier: MIT
"""Takes away the file it runs, cuts it while it is mapped, and dies of it."""
# limits: timeout=15
# expect: status killed
# expect: signal SIGBUS
import mmap

with open("/box/main.py", "r+b") as f:
    m = mmap.mmap(f.fileno(), 0)
    os.ftruncate(f.fileno(), 0)
    os.unlink("/box/main.py")
    os.write(1, b"cut\n")
    print(m[0])
