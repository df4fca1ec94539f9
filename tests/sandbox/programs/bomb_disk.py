# SPDX-License-Identifier: MIT
"""Fills every place that can be written, each up to its own limit."""
# paths: cold - folders of its own size; bomb_folders has the usual ones
# limits: timeout=30 memory=512MiB work_size=8MiB tmp_size=8MiB shm_size=8MiB
# expect: status success
# expect: stdout ~ ^held /box
# expect: stdout ~ ^held /tmp
# expect: stdout ~ ^held /dev/shm
import os

for folder in ("/box", "/tmp", "/dev/shm", "/home/cuvette"):
    total = 0
    try:
        for n in range(64):
            with open(f"{folder}/cuvette-escape-{n}", "wb", buffering=0) as f:
                for _ in range(4):
                    total += f.write(b"x" * (1 << 20))
    except OSError:
        pass
    limit = (8 << 20) if folder != "/home/cuvette" else (80 << 20)
    check(folder, 0 < total <= limit, total)
