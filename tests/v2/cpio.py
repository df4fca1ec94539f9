# SPDX-License-Identifier: MIT
"""Writes an initramfs: a gzip-compressed cpio archive in the 'newc' form that
the kernel unpacks. A few lines here save the tests a package on the host."""
import gzip
import os
import stat

MAGIC = b"070701"


def _member(name, mode, data=b"", rdev=(0, 0), ino=0):
    name_bytes = name.encode() + b"\0"
    fields = [ino, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(name_bytes), 0]
    out = MAGIC + b"".join(b"%08x" % f for f in fields) + name_bytes
    out += b"\0" * (-len(out) % 4)
    out += data
    return out + b"\0" * (-len(data) % 4)


def write_initramfs(path, files, folders):
    """files: {name in the archive: (bytes, mode)}; folders: their parents first.
    The node /dev/console is added, which the kernel opens for init's output."""
    out = bytearray()
    ino = 1
    for name in folders:
        out += _member(name, stat.S_IFDIR | 0o755, ino=ino)
        ino += 1
    out += _member("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1), ino=ino)
    for name, (data, mode) in files.items():
        ino += 1
        out += _member(name, stat.S_IFREG | mode, data, ino=ino)
    out += _member("TRAILER!!!", 0)
    part = path + ".part"
    with gzip.open(part, "wb", compresslevel=1) as f:
        f.write(bytes(out))
    os.replace(part, path)
