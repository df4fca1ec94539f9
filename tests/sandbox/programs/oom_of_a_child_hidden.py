# SPDX-License-Identifier: MIT
"""A child dies of its memory while the parent prints success and is gone at once."""
# needs: cgroup-memory
# limits: timeout=20 memory=96MiB
# expect: status out-of-memory
import time

pid = os.fork()
if pid == 0:
    kept = []
    while True:
        kept.append(bytearray(2 << 20))
_, status = os.waitpid(pid, 0)
print("the child ended by", os.WTERMSIG(status), flush=True)
os._exit(0)
