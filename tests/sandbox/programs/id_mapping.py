# SPDX-License-Identifier: MIT
"""One id for the run and one for the box's first process, neither is root's, and
the first process's limits are not the run's to change."""
# needs: uid-separation
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held mapped
# expect: stdout ~ ^held limits of init
import resource

maps = [tuple(map(int, line.split())) for line in read("/proc/self/uid_map").decode().splitlines()]
check("mapped", len(maps) == 2 and all(inside != 0 and outside != 0 and count == 1 for inside, outside, count in maps), maps)
raises("limits of init", resource.prlimit, 1, resource.RLIMIT_NOFILE)
raises("priority of init", os.setpriority, os.PRIO_PROCESS, 1, 19)
raises("signal to init", os.kill, 1, 0)
