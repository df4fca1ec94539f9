# SPDX-License-Identifier: MIT
"""Sixteen million bytes that are no text: each may become three."""
# limits: timeout=20 stderr_limit=16MiB
# expect: status success
# expect: stderr ~ ^.
for _ in range(256):
    os.write(2, b"\xff" * 65536)
