# SPDX-License-Identifier: MIT
"""Handles, watches and rings that step around path checks and filters."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held io_uring_setup
import ctypes

buffer = ctypes.create_string_buffer(256)
refused("io_uring_setup", 425, 8, buffer)
refused("io_uring_enter", 426, 0, 0, 0, 0, 0, 0)
refused("io_uring_register", 427, 0, 0, 0, 0)
handle = (ctypes.c_uint32 * 40)(128, 1)
refused("open_by_handle_at", 304, -100, ctypes.byref(handle), 0)
refused("fanotify_init", 300, 0, 0)
refused("fanotify_init unprivileged", 300, 0x200, 0)
refused("fanotify_mark", 301, 0, 1, 1, -100, b"/")
refused("memfd_secret", 447, 0)
refused("acct", 163, b"/tmp/acct")
refused("mknod", 133, b"/tmp/node", 0o020666, 0x101)
refused("mknodat", 259, -100, b"/tmp/node", 0o060666, 0x700)
