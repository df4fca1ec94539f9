# SPDX-License-Identifier: MIT
"""Exactly as much as is allowed: no limit is passed, nothing is cut."""
# limits: timeout=20 stdout_limit=65536
# expect: status success
# expect: stdout_bytes >= 65536
# expect: stdout_bytes <= 65536
import sys

sys.stdout.write("y" * 65536)
