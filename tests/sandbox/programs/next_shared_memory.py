# SPDX-License-Identifier: MIT
"""Names in /dev/shm, multiprocessing's and by hand, and files that have no name."""
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^left
import mmap
from multiprocessing import shared_memory

block = shared_memory.SharedMemory("cuvette-escape-block", create=True, size=1 << 20)
block.buf[:14] = b"cuvette-escape"
with open("/dev/shm/cuvette-escape-file", "wb") as f:
    f.write(b"cuvette-escape" * 1000)
fd = os.memfd_create("cuvette-escape")
os.write(fd, b"cuvette-escape")
os.ftruncate(fd, 4096)
m = mmap.mmap(fd, 4096)
unnamed = os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR)
if os.fork() == 0:
    os.setsid()
    signal.pause()
print("left", os.listdir("/dev/shm"), flush=True)
os._exit(0)
# ---- the next run
from multiprocessing import shared_memory

check("names", os.listdir("/dev/shm") == [], os.listdir("/dev/shm"))
raises("block", lambda: shared_memory.SharedMemory("cuvette-escape-block"))
used = os.statvfs("/dev/shm")
check("blocks", used.f_bfree == used.f_blocks, (used.f_bfree, used.f_blocks))
