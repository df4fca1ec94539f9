# SPDX-License-Identifier: MIT
"""Changes its exit status in the very last moment."""
# limits: timeout=10
# expect: status error
# expect: return_code 7
import atexit
import os
import sys

atexit.register(os._exit, 7)
sys.exit(0)
