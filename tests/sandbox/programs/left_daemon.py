# SPDX-License-Identifier: MIT
"""A daemon by the book: two forks, a session of its own, deaf to signals."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^daemon is away
# expect: wall < 6
import os
import signal
import time

r, w = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    os.write(w, b"up")
    for fd in range(256):
        try:
            os.close(fd)
        except OSError:
            pass
    while True:
        time.sleep(1)
os.read(r, 2)
print("daemon is away")
