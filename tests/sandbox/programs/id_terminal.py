# SPDX-License-Identifier: MIT
"""No terminal to type into."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held tty
import fcntl

raises("tty", os.open, "/dev/tty", os.O_RDWR)
for fd in (0, 1, 2):
    raises(f"TIOCSTI {fd}", fcntl.ioctl, fd, 0x5412, b"x")
    raises(f"TIOCLINUX {fd}", fcntl.ioctl, fd, 0x541C, b"\x03")
    raises(f"TIOCSCTTY {fd}", fcntl.ioctl, fd, 0x540E, 0)
    raises(f"foreground {fd}", os.tcgetpgrp, fd)
raises("new terminal", os.openpty)
check("own session", os.getsid(0) in (os.getpid(), os.getppid(), 0) or os.getsid(0) > 0, os.getsid(0))
