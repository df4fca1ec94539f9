# SPDX-License-Identifier: MIT
"""Leaves a thread that python does not know of."""
import ctypes

libc = ctypes.CDLL(None)
thread = ctypes.c_ulong()
libc.pthread_create(ctypes.byref(thread), None, ctypes.cast(libc.pause, ctypes.c_void_p), None)
