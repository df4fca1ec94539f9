# SPDX-License-Identifier: MIT
import os
import resource

# A core handler of the host is called whatever this limit is, but for one value.
print("core limit", resource.getrlimit(resource.RLIMIT_CORE), flush=True)
try:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (OSError, ValueError):
    pass
os.abort()
