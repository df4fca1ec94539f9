# SPDX-License-Identifier: MIT
"""Ends the zygote at the first fork."""
import os

os.register_at_fork(before=lambda: os._exit(0))
