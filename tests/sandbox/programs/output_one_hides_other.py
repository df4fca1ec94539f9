# SPDX-License-Identifier: MIT
"""Floods one stream: what the other said before must not be lost."""
# limits: timeout=20 stdout_limit=65536
# expect: status output-limit
# expect: stderr ~ ^said before
# expect: truncated stdout
os.write(2, b"said before\n")
while True:
    os.write(1, b"x" * 65536)
