# SPDX-License-Identifier: MIT
"""Sleeps."""
# limits: timeout=1
# expect: status timeout
# expect: stdout ~ ^asleep
# expect: wall < 4
import time

print("asleep", flush=True)
time.sleep(1000)
