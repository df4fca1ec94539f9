# SPDX-License-Identifier: MIT
"""Makes processes by vfork, by bare clone with shared memory or files, by spawn: all count."""
# needs: cgroup-pids
# limits: timeout=10 processes=32
# expect: status success
# expect: stdout ~ ^held limit
born = 1
for flags in (17, 0x400 | 17, 0x200 | 0x400 | 17, 0x800 | 17, 0):
    for _ in range(64):
        result, error = syscall(56, flags, 0, 0, 0, 0)
        if result == 0:
            while True:
                signal.pause()
        if result == -1:
            break
        born += 1
check("limit", 8 <= born <= 32, born)
os._exit(0)
