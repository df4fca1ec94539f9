# SPDX-License-Identifier: MIT
"""Closes the control socket and lives on."""
import os

try:
    os.close(3)
except OSError:
    pass
