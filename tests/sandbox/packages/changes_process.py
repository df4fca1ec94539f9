# SPDX-License-Identifier: MIT
"""Changes limits, mask, folder, environment, priority, name, and asks for the death of others."""
import os
import resource

os.umask(0)
os.nice(5)
os.environ["LD_PRELOAD"] = "/tmp/replaced.so"
os.chdir("/")
for number in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_DATA):
    soft, hard = resource.getrlimit(number)
    resource.setrlimit(number, (min(soft, 1 << 30) if soft >= 0 else 1 << 30, hard))
