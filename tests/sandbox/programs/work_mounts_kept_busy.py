# SPDX-License-Identifier: MIT
"""Ends with every writable folder in use: open, mapped, watched by dead processes'
descriptors, the current folder of stopped ones."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^busy
import mmap

kept = []
for folder in ("/box", "/tmp", "/dev/shm", "/home/cuvette"):
    fd = os.open(folder + "/kept", os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, 1 << 20)
    kept.append(mmap.mmap(fd, 1 << 20))
    kept[-1][:5] = b"dirty"
    os.unlink(folder + "/kept")
    if os.fork() == 0:
        os.setsid()
        os.mkdir(folder + "/gone")
        os.chdir(folder + "/gone")
        os.rmdir(folder + "/gone")
        os.kill(os.getpid(), signal.SIGSTOP)
print("busy", flush=True)
os._exit(0)
