# SPDX-License-Identifier: MIT
with open("/tmp/big", "wb", buffering=0) as f:
    while True:
        f.write(b"x" * (1 << 20))
