# SPDX-License-Identifier: MIT
"""Leases on shared files: another's use of them would be told, and made to wait."""
# needs: uid-separation
# limits: timeout=10
# expect: status success
# expect: stdout ~ ^held lease
import fcntl

for path in (os.__file__, os.path.realpath(sys.executable)):
    fd = os.open(path, os.O_RDONLY)
    raises("lease read", fcntl.fcntl, fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    raises("lease write", fcntl.fcntl, fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
