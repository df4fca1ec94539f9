# SPDX-License-Identifier: MIT
"""Opens descriptors until it is told to stop, then asks for more."""
# limits: timeout=10 descriptors=100
# expect: status success
# expect: stdout ~ ^held descriptors
# expect: stdout ~ ^held raise
import os
import resource

opened = []
try:
    while len(opened) < 5000:
        opened.append(os.dup(1))
except OSError:
    pass
count = len(opened)
for fd in opened:
    os.close(fd)
check("descriptors", count < 100, count)
try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    hole("raise")
except (OSError, ValueError) as error:
    held("raise", error)
