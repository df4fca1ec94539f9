# SPDX-License-Identifier: MIT
"""Becomes another program in the middle: what comes back is that program's end,
and nothing inherited helps it."""
# limits: timeout=15
# expect: status error
# expect: return_code 7
# expect: stdout ~ ^held fresh
sys.stdout.flush()
code = """
import os, sys
fds = sorted(int(n) for n in os.listdir('/proc/self/fd'))
print('held fresh' if len(fds) <= 4 else 'HOLE fresh', fds, flush=True)
status = open('/proc/self/status').read()
good = 'Seccomp:\\t2' in status and 'NoNewPrivs:\\t1' in status and 'CapPrm:\\t0000000000000000' in status
print('held sealed' if good else 'HOLE sealed', flush=True)
os._exit(7)
"""
os.execv("/usr/bin/python3", ["python3", "-c", code])
