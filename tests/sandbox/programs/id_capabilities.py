# SPDX-License-Identifier: MIT
"""No capability in any set, no new privileges, a filter in place."""
# limits: timeout=10
# outside: fails
# expect: status success
# expect: stdout ~ ^held CapEff
# expect: stdout ~ ^held Seccomp
import ctypes

text = read("/proc/self/status").decode()
for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
    value = status_field(text, field)
    check(field, value is not None and int(value, 16) == 0, value)
check("NoNewPrivs", status_field(text, "NoNewPrivs") == "1")
check("Seccomp", status_field(text, "Seccomp") == "2", status_field(text, "Seccomp"))
check("TracerPid", status_field(text, "TracerPid") == "0")
check("Groups", status_field(text, "Groups") in ("", "1000"), status_field(text, "Groups"))
bound = [n for n in range(41) if syscall(157, 23, n)[0] == 1]  # PR_CAPBSET_READ
check("bounding set", not bound, bound)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
every = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
refused("capset", 126, ctypes.byref(header), ctypes.byref(every))
for cap in (0, 7, 21):
    refused(f"ambient {cap}", 157, 47, 2, cap, 0, 0)
result, _ = syscall(157, 39, 0, 0, 0, 0)  # PR_GET_NO_NEW_PRIVS
check("no_new_privs", result == 1)
for mode, name in ((1, "strict"), (0, "off")):
    result, error = syscall(157, 22, mode if mode else 0, 0, 0, 0)  # PR_SET_SECCOMP
    check("seccomp " + name, result == -1)
