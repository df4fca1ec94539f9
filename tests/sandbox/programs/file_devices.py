# SPDX-License-Identifier: MIT
"""Device nodes: made here, opened by number, or already there."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held list
# expect: stdout ~ ^held mem
import stat

known = {"null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr", "shm", "tty", "ptmx", "pts"}
listed = set(os.listdir("/dev"))
check("list", listed <= known, listed - known)
for name in ("mem", "kmem", "port", "kmsg", "loop0", "loop-control", "sda", "vda", "nvme0n1", "fuse", "kvm", "net/tun",
             "vhost-net", "mapper/control", "console", "tty0", "tty", "userfaultfd", "dri/card0", "input/event0"):
    raises(name, os.open, "/dev/" + name, os.O_RDONLY)
for name, kind, major, minor in (("mem", stat.S_IFCHR, 1, 1), ("kmsg", stat.S_IFCHR, 1, 11), ("disk", stat.S_IFBLK, 254, 0), ("loop", stat.S_IFBLK, 7, 0)):
    for folder in ("/tmp", "/dev/shm", "/box"):
        raises(f"node {name} in {folder}", os.mknod, f"{folder}/{name}", kind | 0o666, os.makedev(major, minor))
for name in ("null", "zero", "random", "urandom", "full"):
    mode = os.stat("/dev/" + name).st_mode if name in listed else stat.S_IFCHR
    check(f"kind {name}", stat.S_ISCHR(mode))
raises("replace null", os.rename, "/dev/null", "/dev/old")
raises("new in dev", os.open, "/dev/cuvette-escape", os.O_CREAT | os.O_WRONLY)
