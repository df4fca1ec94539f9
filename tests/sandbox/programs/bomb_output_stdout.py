# SPDX-License-Identifier: MIT
"""Writes to stdout without end."""
# limits: timeout=20 stdout_limit=65536
# expect: status output-limit
# expect: truncated stdout
# expect: stdout_bytes <= 65536
# expect: stdout_bytes >= 65536
# expect: wall < 8
import os

while True:
    os.write(1, b"flood of output " * 4096)
