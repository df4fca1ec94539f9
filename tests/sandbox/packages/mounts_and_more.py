# SPDX-License-Identifier: MIT
"""Tries with the zygote's rights what none may: mounts, namespaces, devices, other ids."""
import ctypes
import os

libc = ctypes.CDLL(None)
holes = []
for name, words in (("mount", (165, b"x", b"/tmp", b"tmpfs", 0, 0)), ("umount", (166, b"/proc", 2)), ("fsopen", (430, b"tmpfs", 0)),
                    ("pivot_root", (155, b"/", b"/")), ("chroot", (161, b"/tmp")), ("unshare user", (272, 0x10000000)),
                    ("unshare mount", (272, 0x20000)), ("open_tree", (428, -100, b"/", 1)), ("ptrace", (101, 0, 0, 0, 0)),
                    ("bpf", (321, 0, 0, 0)), ("keyctl", (250, 0, 0)), ("sethostname", (170, b"x", 1)), ("setuid", (105, 0)),
                    ("setuid 1", (105, 1)), ("clone user", (56, 0x10000000 | 17, 0, 0, 0, 0)), ("clone mount", (56, 0x20000 | 17, 0, 0, 0, 0)),
                    ("io_uring", (425, 8, 0)), ("mknod", (133, b"/tmp/x", 0o20666, 0x101))):
    result = libc.syscall(*[ctypes.c_long(w) if isinstance(w, int) else w for w in words])
    if result == 0 and name.startswith("clone"):
        os._exit(0)
    if result != -1:
        holes.append(name)
for path in ("/proc/1/root", "/proc/1/environ", "/proc/1/mem", "/proc/1/fd", "/proc/1/ns/mnt"):
    try:
        os.stat(path + ("/" if path.endswith(("root", "fd")) else ""))
        open(path, "rb").read(1) if path.endswith(("environ", "mem")) else os.listdir(path) if path.endswith(("root", "fd")) else os.readlink(path)
        holes.append(path)
    except OSError:
        pass
if os.getcwd() == "/box" and holes:  # told by the run: its own memory is a copy of this
    os.environ["CUVETTE_HOLES"] = " ".join(holes)
