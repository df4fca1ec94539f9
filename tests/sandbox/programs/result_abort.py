# SPDX-License-Identifier: MIT
"""Aborts; no core file and no core handler of the host is fed."""
# limits: timeout=15
# expect: status killed
# expect: signal SIGABRT
# expect: return_code 134
import resource

check("no core", resource.getrlimit(resource.RLIMIT_CORE) == (0, 0), resource.getrlimit(resource.RLIMIT_CORE))
os.abort()
