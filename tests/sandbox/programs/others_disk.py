# SPDX-License-Identifier: MIT
"""Reads of the image past memory, and what makes the host's disk write its cache back: all who are on it would wait."""
# expect: status success
# expect: stdout ~ ^held read past memory
import fcntl
import stat

paths = [path for path in (os.path.realpath(sys.executable), "/usr/lib/os-release", "/etc/passwd", os.__file__) if os.path.exists(path)]
for path in paths:
    raises(f"read past memory {path}", os.open, path, os.O_RDONLY | os.O_DIRECT, errors=(errno.EINVAL,))
    fd = os.open(path, os.O_RDONLY)
    raises(f"later {path}", fcntl.fcntl, fd, fcntl.F_SETFL, os.O_DIRECT, errors=(errno.EINVAL,))
    check(f"still as it was {path}", not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT)
    # Nothing is to be written back: both are done without asking the disk (test_launcher_seccomp.c).
    os.fsync(fd)
    os.fdatasync(fd)
    os.close(fd)
for name in (0, 1, 2):
    if stat.S_ISFIFO(os.fstat(name).st_mode):
        raises(f"packets in stream {name}", fcntl.fcntl, name, fcntl.F_SETFL, os.O_DIRECT, errors=(errno.EINVAL,))
        raises(f"packets in stream {name} by name", os.open, f"/proc/self/fd/{name}", os.O_WRONLY | os.O_DIRECT,
               errors=(errno.EINVAL,))
