# SPDX-License-Identifier: MIT
"""stdin once more, for writing: it must not be a file that others read."""
# limits: timeout=10 memory=96MiB
# expect: status success
# expect: stdout ~ ^held write
for flags, name in ((os.O_WRONLY, "write"), (os.O_RDWR, "read and write"), (os.O_RDWR | os.O_TRUNC, "cut")):
    for path in ("/proc/self/fd/0", "/dev/stdin"):
        try:
            fd = os.open(path, flags)
        except OSError as error:
            held(f"{name} {path}", error)
            continue
        # The null device may be written; anything that keeps what is written may not.
        if os.stat(path).st_rdev == os.makedev(1, 3):
            held(f"{name} {path}", "the null device")
            continue
        raises(f"{name} {path}", os.write, fd, b"x")
        raises(f"{name} grow {path}", os.ftruncate, fd, 1 << 20)
raises("grow 0", os.ftruncate, 0, 1 << 20)
