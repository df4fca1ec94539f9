# SPDX-License-Identifier: MIT
"""A file of a terabyte that holds nothing."""
# limits: timeout=10 file_size=16MiB
# expect: status success
# expect: stdout ~ ^held truncate
# expect: stdout ~ ^held fallocate
import os
import signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
fd = os.open("/box/sparse", os.O_CREAT | os.O_RDWR)
raises("truncate", os.ftruncate, fd, 1 << 40)
raises("fallocate", os.posix_fallocate, fd, 0, 1 << 40)
raises("far write", os.pwrite, fd, b"x", 1 << 39)
