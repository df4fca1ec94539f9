# SPDX-License-Identifier: MIT
"""Sixteen million control characters: six times as many bytes in an answer."""
# limits: timeout=20 stdout_limit=16MiB
# expect: status success
# expect: stdout_bytes >= 16777216
# expect: stdout_bytes <= 16777216
block = b"\x01\x02\x1f\x00" * 16384
for _ in range(256):
    os.write(1, block)
