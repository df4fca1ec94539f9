# SPDX-License-Identifier: MIT
"""Enters namespaces: its own, pid 1's, by descriptor and by process, and those that
would lead to the process it may have been forked from."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held pidfd
for name in ("user", "mnt", "pid", "pid_for_children", "net", "ipc", "uts", "cgroup", "time", "time_for_children"):
    try:
        fd = os.open(f"/proc/self/ns/{name}", os.O_RDONLY)
    except OSError:
        continue
    for kind in (0, 0x10000000, 0x00020000, 0x20000000, 0x40000000):
        refused(f"setns {name} {kind:x}", 308, fd, kind)
    import fcntl
    for request in (0xB701, 0xB702, 0xB704):  # the namespace's owner, its parent, its owner's id
        try:
            other = fcntl.ioctl(fd, request, b"\0" * 8)
            check(f"ioctl {name} {request:x}", request == 0xB704 or not isinstance(other, int), other)
        except OSError as error:
            held(f"ioctl {name} {request:x}", error)
for pid in (os.getpid(), 1, 2, 3):
    fd, _ = syscall(434, pid, 0)
    if fd >= 0:
        refused(f"pidfd {pid}", 308, fd, 0x7C020000)
        refused(f"pidfd user {pid}", 308, fd, 0x10000000)
held("pidfd")
