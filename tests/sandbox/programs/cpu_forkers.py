# SPDX-License-Identifier: MIT
"""A tree of children that each live for a moment: the sum is the run's."""
# needs: cgroup-cpu
# limits: timeout=20 cpu_time=1
# expect: status timeout
# expect: cpu < 2.5
for _ in range(3):
    os.fork()
while True:
    try:
        pid = os.fork()
        if pid == 0:
            sum(range(20000))
            os._exit(0)
        os.waitpid(pid, 0)
    except OSError:
        pass
