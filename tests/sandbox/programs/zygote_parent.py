# SPDX-License-Identifier: MIT
"""Who is the parent? Signals, descriptors and files of whoever that may be."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held parent
import ctypes

parent = os.getppid()
check("parent", parent in (0, 1), parent)
pids = sorted(int(n) for n in os.listdir("/proc") if n.isdigit())
check("listed", set(pids) <= {1, os.getpid()}, pids)
for pid in [p for p in range(0, 400) if p not in (os.getpid(), 0)]:
    for name in ("environ", "mem", "maps", "fd", "ns/mnt", "root", "cwd", "exe", "task"):
        path = f"/proc/{pid}/{name}"
        try:
            (os.listdir if name in ("fd", "task") else os.readlink if "/" in name or name in ("root", "cwd", "exe") else read)(path)
            if not (name == "task" and pid == 1):
                hole(path)
        except OSError:
            pass
for number in (1, 2, 9, 15, 17, 18, 19):
    try:
        os.kill(0 if parent == 0 and number == 18 else 1, number)
    except OSError:
        pass
info = ctypes.create_string_buffer(128)
for pid in (1, 2**22 - 1):
    for number, words in ((129, (pid, 9)), (297, (pid, pid, 9))):
        ctypes.cast(info, ctypes.POINTER(ctypes.c_int))[2] = -1
        result, error = syscall(number, *words, ctypes.byref(info))
        check(f"queue {number} {pid}", result == -1 or pid == 1, error)
try:
    fd, error = syscall(434, 1, 0)
    if fd >= 0:
        for number in range(64):
            refused(f"pidfd_getfd {number}", 438, fd, number, 0)
finally:
    held("asked")
