# SPDX-License-Identifier: MIT
"""Changes what the streams' open files share with other holders: flags, owner,
position, pipe size. The next run's are new ones."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^changed
import fcntl

for fd in (0, 1, 2):
    for flag in (os.O_NONBLOCK, os.O_APPEND, os.O_ASYNC):
        try:
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | flag)
        except OSError:
            pass
    for command, value in ((fcntl.F_SETOWN, os.getpid()), (10, signal.SIGCHLD), (1031, 4096)):
        try:
            fcntl.fcntl(fd, command, value)
        except OSError:
            pass
try:
    os.lseek(0, 100, os.SEEK_SET)
except OSError:
    pass
os.write(1, b"changed\n")
# ---- the next run
import fcntl

for fd in (0, 1, 2):
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    check(f"flags {fd}", not flags & (os.O_NONBLOCK | os.O_APPEND | os.O_ASYNC), hex(flags))
    check(f"owner {fd}", fcntl.fcntl(fd, fcntl.F_GETOWN) == 0)
check("size", fcntl.fcntl(1, 1032) >= 16384, fcntl.fcntl(1, 1032))
check("position", os.lseek(0, 0, os.SEEK_CUR) == 0)
