# SPDX-License-Identifier: MIT
"""Has as much memory as it may when its time is over; the end has to give it back."""
# limits: timeout=2 memory=512MiB
# expect: status timeout
import time

kept = [bytearray(b"x" * (1 << 20)) for _ in range(400)]
print("full", flush=True)
time.sleep(100)
