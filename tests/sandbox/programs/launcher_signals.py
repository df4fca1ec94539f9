# SPDX-License-Identifier: MIT
"""Signals to everything, without end, from several processes."""
# limits: timeout=3
# expect: status success killed timeout
# expect: stdout ~ ^begun
import time

os.write(1, b"begun\n")
me = os.getpid()
for n in range(4):
    if os.fork() == 0:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGCONT, 34, 63):
                for pid in (-1, 1):
                    try:
                        os.kill(pid, number)
                    except OSError:
                        pass
        try:
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
for number in range(1, signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
