# SPDX-License-Identifier: MIT
"""What stops, replaces or extends the kernel."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held reboot
# expect: stdout ~ ^held init_module
refused("reboot", 169, 0xFEE1DEAD, 0x28121969, 0, 0)  # CAD off: the mildest there is
refused("kexec_load", 246, 0, 0, 0, 0)
refused("kexec_file_load", 320, -1, -1, 0, b"", 8)
refused("init_module", 175, b"", 0, b"")
refused("finit_module", 313, -1, b"", 0)
refused("delete_module", 176, b"cuvette_escape", 0)
refused("iopl", 172, 3)
refused("ioperm", 173, 0x60, 1, 1)
refused("syslog", 103, 3, b"\0" * 64, 64)
refused("vhangup", 153)
refused("nfsservctl", 180, 0, 0, 0)
refused("uselib", 134, b"/tmp/x")
refused("sysfs", 139, 3)
refused("ustat", 136, 0, b"\0" * 64)
