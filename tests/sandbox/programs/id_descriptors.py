# SPDX-License-Identifier: MIT
"""Open at the start: 0, 1 and 2 only, and none is a way out."""
# limits: timeout=10
# outside: fails
# expect: status success
# expect: stdout ~ ^held only
import fcntl
import stat

listing = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
fds = {int(name) for name in os.listdir(listing)} - {listing}
fds = {fd for fd in fds if syscall(72, fd, 1)[0] >= 0}
script = {fd for fd in fds if fd > 2 and os.readlink(f"/proc/self/fd/{fd}") == "/box/main.py"}
check("only", fds - script == {0, 1, 2}, fds)
for fd in (0, 1, 2):
    mode = os.fstat(fd).st_mode
    check(f"kind {fd}", not stat.S_ISDIR(mode) and not stat.S_ISSOCK(mode) and not stat.S_ISBLK(mode) and not os.isatty(fd), oct(mode))
flags = fcntl.fcntl(0, fcntl.F_GETFL) & os.O_ACCMODE
check("stdin is read-only", flags == os.O_RDONLY, flags)
for fd in (1, 2):
    link = os.readlink(f"/proc/self/fd/{fd}")
    check(f"stream {fd}", link.startswith(("pipe:", "socket:")) or link == "/dev/null", link)
