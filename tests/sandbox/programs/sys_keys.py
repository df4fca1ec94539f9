# SPDX-License-Identifier: MIT
"""Keyrings are shared by user id, over all boxes of that id."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held add_key
refused("add_key", 248, b"user", b"cuvette-escape", b"secret", 6, -4)
refused("add_key session", 248, b"user", b"cuvette-escape", b"secret", 6, -3)
refused("request_key", 249, b"user", b"cuvette-escape", None, -4)
for command in (0, 1, 6, 11, 16, 30):
    refused(f"keyctl {command}", 250, command, -4, 0, 0, 0)
