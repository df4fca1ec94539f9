# SPDX-License-Identifier: MIT
"""Aborts. A host's core handler is a root program outside of all boxes, and the
kernel calls it whatever the core limit is, but for a limit of one byte."""
# limits: timeout=15
# expect: status killed
# expect: signal SIGABRT
# expect: return_code 134
# expect: stdout ~ ^held limit
# expect: stdout ~ ^held lowered
import resource

check("limit", resource.getrlimit(resource.RLIMIT_CORE) == (1, 1), resource.getrlimit(resource.RLIMIT_CORE))
for lower in (lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)), lambda: resource.prlimit(0, resource.RLIMIT_CORE, (0, 1)),
              lambda: resource.prlimit(os.getpid(), resource.RLIMIT_CORE, (0, 0)), lambda: syscall(160, 4, b"\0" * 16)):
    try:
        lower()
    except (OSError, ValueError):
        pass
check("lowered", resource.getrlimit(resource.RLIMIT_CORE) == (1, 1), resource.getrlimit(resource.RLIMIT_CORE))
os.abort()
