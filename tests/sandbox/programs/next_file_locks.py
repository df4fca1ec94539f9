# SPDX-License-Identifier: MIT
"""Locks and leases on shared files of the image, held by who stays behind."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^locked
import fcntl

path = os.path.dirname(os.__file__) + "/this.py"
fd = os.open(path, os.O_RDONLY)
locked = 0
for how in (lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB), lambda: fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB),
            lambda: fcntl.fcntl(fd, 1024, fcntl.F_RDLCK)):
    try:
        how()
        locked += 1
    except OSError:
        pass
if os.fork() == 0:
    os.setsid()
    while True:
        signal.pause()
print("locked", locked, flush=True)
os._exit(0)
# ---- the next run
# limits: timeout=90
import fcntl
import time

fd = os.open(os.path.dirname(os.__file__) + "/this.py", os.O_RDONLY)
until, free = time.monotonic() + 60, False
while not free and time.monotonic() < until:  # another program of this suite may hold it for a moment
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = True
    except OSError:
        time.sleep(0.1)
check("lock", free)
fcntl.flock(fd, fcntl.LOCK_UN)
