# SPDX-License-Identifier: MIT
"""bubblewrap, snapd, flatpak: letters put into the terminal by ioctl, also with bits
in the upper half of the request, where a filter that looks at all 64 misses it."""
# limits: timeout=15
# outside: fails
# expect: status success
# expect: stdout ~ ^held terminal
import ctypes

letter = ctypes.create_string_buffer(b"x")
for fd in (0, 1, 2):
    for request, name in ((0x5412, "TIOCSTI"), (0x541C, "TIOCLINUX"), (0x540E, "TIOCSCTTY"), (0x541D, "TIOCCONS")):
        for high in (0, 1 << 32, 0xFFFFFFFF << 32):
            result, error = syscall(16, fd, high | request, letter)
            check(f"{name} {fd} {high:x}", result == -1 and (error in REFUSALS or request in (0x540E, 0x541D)), error)
raises("terminal", os.open, "/dev/tty", os.O_RDWR)
raises("ptmx", os.open, "/dev/ptmx", os.O_RDWR)
