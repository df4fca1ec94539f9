# SPDX-License-Identifier: MIT
"""Burns CPU time in the zygote's name after it is ready, by children that stay."""
import os

for _ in range(4):
    if os.fork() == 0:
        while True:
            pass
