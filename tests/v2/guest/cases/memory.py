# SPDX-License-Identifier: MIT
kept = []
while True:
    kept.append(bytearray(4 << 20))
