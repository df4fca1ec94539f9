# SPDX-License-Identifier: MIT
"""One file grows past the limit of a file: EFBIG, or the signal for it."""
# limits: timeout=10 file_size=4MiB
# expect: status killed
# expect: signal SIGXFSZ
# expect: stdout ~ ^size 4194304
import os
import signal

fd = os.open("/tmp/growing", os.O_CREAT | os.O_RDWR)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    while True:
        os.write(fd, b"x" * 65536)
except OSError:
    print("size", os.fstat(fd).st_size, flush=True)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
os.write(fd, b"x")
