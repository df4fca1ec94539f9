# SPDX-License-Identifier: MIT
"""Reads address zero."""
# limits: timeout=15
# expect: status killed
# expect: signal SIGSEGV
# expect: return_code 139
import ctypes

ctypes.string_at(0)
