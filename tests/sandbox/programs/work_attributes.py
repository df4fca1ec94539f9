# SPDX-License-Identifier: MIT
"""Extended attributes, access lists, flags of files: what a copy might take along."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held security
import fcntl
import struct

for folder in ("/box", "/tmp", "/dev/shm"):
    path = folder + "/file"
    with open(path, "w") as f:
        f.write("x")
    raises("security", os.setxattr, path, "security.capability", struct.pack("<IIIII", 0x02000001, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0))
    raises("trusted", os.setxattr, path, "trusted.overlay.opaque", b"y")
    for name in ("user.cuvette", "system.posix_acl_access"):
        try:
            os.setxattr(path, name, b"x" * 100)
        except OSError:
            pass
    fd = os.open(path, os.O_RDWR)
    for flags in (0x10, 0x20, 0x30):  # immutable, append only
        try:
            fcntl.ioctl(fd, 0x40086602, struct.pack("<l", flags))
            hole(f"flags {flags:x} in {folder}")
        except OSError as error:
            held("flags", error)
    for mode in (0o4777, 0o2777, 0o6777, 0o1777):
        os.chmod(path, mode)
    raises("owner", os.chown, path, 0, 0)
