# SPDX-License-Identifier: MIT
"""Fills each writable folder, of the usual size: with bytes, then with names. Each
ends at its own limit and leaves the others usable."""
# limits: timeout=20 file_size=512MiB
# expect: status success
# expect: stdout ~ ^held bytes
# expect: stdout ~ ^held names
import errno

for folder, most in (("/box", 64), ("/tmp", 64), ("/dev/shm", 32), ("/home/cuvette", 64)):
    total, error = 0, None
    try:
        with open(folder + "/big", "wb", buffering=0) as f:
            while total < 512 << 20:
                total += f.write(b"x" * (1 << 20))
    except OSError as e:
        error = e.errno
    check(f"bytes of {folder}", error == errno.ENOSPC and total <= (most + 1) << 20, (total, error))
    os.unlink(folder + "/big")
    names, error = 0, None
    try:
        for names in range(100000):
            os.mkdir(f"{folder}/{names}") if names % 2 else os.symlink("x", f"{folder}/{names}")
    except OSError as e:
        error = e.errno
    check(f"names of {folder}", error == errno.ENOSPC and names <= 20000, (names, error))
