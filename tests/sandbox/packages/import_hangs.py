# SPDX-License-Identifier: MIT
"""Its import never ends."""
# import: no
import time

time.sleep(100000)
