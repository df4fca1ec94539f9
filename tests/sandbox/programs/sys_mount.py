# SPDX-License-Identifier: MIT
"""The old and the new mount calls, with arguments that would do something."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held mount tmpfs
# expect: stdout ~ ^held move_mount
import ctypes

here = b"/tmp"
refused("mount tmpfs", 165, b"none", here, b"tmpfs", 0, 0)
refused("bind", 165, b"/nix", here, None, 4096, 0)
refused("remount root", 165, None, b"/", None, 32, 0)
refused("remount read-write", 165, None, b"/nix/store", None, 32 | 4096, 0)
refused("make shared", 165, None, b"/", None, 1 << 20, 0)
refused("move", 165, b"/box", here, None, 8192, 0)
refused("umount", 166, b"/nix/store", 0)
refused("umount lazily", 166, b"/box", 2)
refused("umount proc", 166, b"/proc", 2)
refused("pivot_root", 155, b"/tmp", b"/tmp")
refused("chroot", 161, b"/tmp")
refused("open_tree", 428, -100, b"/", 1)
refused("move_mount", 429, -100, b"/box", -100, b"/tmp", 0)
refused("fsopen", 430, b"tmpfs", 0)
refused("fsconfig", 431, 0, 6, None, None, 0)
refused("fsmount", 432, 0, 0, 0)
refused("fspick", 433, -100, b"/", 0)
attributes = (ctypes.c_uint64 * 4)(0, 1, 0, 0)
refused("mount_setattr", 442, -100, b"/nix/store", 0, ctypes.byref(attributes), 32)
refused("quotactl", 179, 0x80000700, b"/dev/vda", 0, 0)
refused("quotactl_fd", 443, 0, 0x80000700, 0, 0)
refused("swapon", 167, b"/tmp/swap", 0)
refused("swapoff", 168, b"/tmp/swap")
