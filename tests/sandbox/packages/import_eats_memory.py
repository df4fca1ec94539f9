# SPDX-License-Identifier: MIT
"""Its import takes memory without end."""
# import: no
kept = []
while True:
    kept.append(bytearray(16 << 20))
