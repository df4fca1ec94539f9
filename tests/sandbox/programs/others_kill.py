# SPDX-License-Identifier: MIT
"""Signals to everything that has a number."""
# with: victim
# args: {secret}
# limits: timeout=20 processes=16
# expect: status success
# expect: stdout ~ ^held all
import signal

for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
    try:
        os.kill(-1, number)
    except OSError:
        pass
hit = []
for pid in list(range(2, 70000)):
    if pid in (os.getpid(), os.getppid()):
        continue
    for send in (os.kill, os.killpg):
        try:
            if send is os.killpg and pid == os.getpgrp():
                continue
            send(pid, signal.SIGKILL)
            hit.append(pid)
        except OSError:
            pass
check("all", not hit, hit[:10])
