# SPDX-License-Identifier: MIT
"""Creates empty files until it is told to stop, in every place."""
# paths: cold - folders of its own size; bomb_folders has the usual ones
# limits: timeout=30 work_inodes=500
# expect: status success
# expect: stdout ~ ^held /box
# expect: stdout ~ ^held /tmp
# expect: stdout ~ ^held /dev/shm
import os

for folder, most in (("/box", 500), ("/tmp", 70000), ("/dev/shm", 70000), ("/home/cuvette", 70000)):
    made = 0
    try:
        for n in range(most + 1):
            os.close(os.open(f"{folder}/{n}", os.O_CREAT | os.O_WRONLY))
            made += 1
    except OSError:
        pass
    check(folder, made <= most, made)
