# SPDX-License-Identifier: MIT
"""Writes to stderr without end."""
# limits: timeout=20 stderr_limit=65536
# expect: status output-limit
# expect: truncated stderr
# expect: stderr_bytes <= 65536
# expect: stdout ~ ^before the flood
# expect: wall < 8
import os

print("before the flood", flush=True)
while True:
    os.write(2, b"flood of errors " * 4096)
