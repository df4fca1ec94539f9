# SPDX-License-Identifier: MIT
"""Scheduling of others: by user, by group, by number."""
# with: victim
# args: {secret}
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held affinity
hit = []
for pid in range(1, 3000):
    if pid in (os.getpid(), os.getppid(), 1):
        continue
    for call in (lambda p: os.sched_setaffinity(p, {0}), lambda p: os.setpriority(os.PRIO_PROCESS, p, 19)):
        try:
            call(pid)
            hit.append(pid)
        except OSError:
            pass
check("affinity", not hit, hit[:10])
try:
    os.setpriority(os.PRIO_USER, 0, 19)
except OSError:
    pass
