# SPDX-License-Identifier: MIT
"""Which user it is, and every way to be another."""
# limits: timeout=10
# outside: fails
# expect: status success
# expect: stdout ~ ^held ids
# expect: stdout ~ ^held setgroups
check("ids", os.getresuid() == (1000,) * 3 and os.getresgid() == (1000,) * 3, (os.getresuid(), os.getresgid()))
for target in (0, 1, 1001, 65534, 1878900001, 1878910000):
    raises(f"setuid {target}", os.setuid, target)
    raises(f"setgid {target}", os.setgid, target)
    raises(f"setresuid {target}", os.setresuid, target, target, target)
    raises(f"setresgid {target}", os.setresgid, target, target, target)
    syscall(122, target)  # setfsuid tells nothing; what it did is seen here
    check(f"setfsuid {target}", syscall(122, -1)[0] == 1000)
raises("setgroups", os.setgroups, [0])
raises("setgroups none", os.setgroups, [])
raises("initgroups", os.initgroups, "root", 0)
