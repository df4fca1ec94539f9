# SPDX-License-Identifier: MIT
"""The child never gets to its seal."""
import os
import time

os.register_at_fork(after_in_child=lambda: time.sleep(100000))
