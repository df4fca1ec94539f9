# SPDX-License-Identifier: MIT
"""Sockets handed over by accident: no descriptor of the program is one."""
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held no socket
import stat

kinds = {fd: stat.S_IFMT(os.fstat(int(fd)).st_mode) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}
check("no socket", stat.S_IFSOCK not in kinds.values(), kinds)
