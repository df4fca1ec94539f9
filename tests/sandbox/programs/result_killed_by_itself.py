# SPDX-License-Identifier: MIT
"""SIGKILL from its own hand is a signal: no timeout, no memory, no success."""
# limits: timeout=15
# expect: status killed
# expect: signal SIGKILL
# expect: return_code 137
import signal

os.kill(os.getpid(), signal.SIGKILL)
