# SPDX-License-Identifier: MIT
"""An orphan goes on writing files and output after the end."""
# limits: timeout=15
# expect: status success output-limit
# expect: wall < 8
import os

if os.fork() == 0:
    os.setsid()
    n = 0
    while True:
        n += 1
        with open(f"/tmp/cuvette-escape-{n % 100}", "wb") as f:
            f.write(b"x" * 1000)
        try:
            os.write(1, b"still here\n")
        except OSError:
            pass
print("main is done")
