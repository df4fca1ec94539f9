# SPDX-License-Identifier: MIT
"""Takes back capabilities that an ancestor had: capset, ambient ones, other ids,
keeping them over a change of id, a program with file capabilities."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held sets
import ctypes
import re

status = read("/proc/self/status").decode()
sets = re.findall(r"^Cap(\w+):\s+(\w+)", status, re.M)
check("sets", len(sets) == 5 and not [n for n, v in sets if int(v, 16)], sets)
check("no new privileges", status_field(status, "NoNewPrivs") == "1")
check("filter", status_field(status, "Seccomp") == "2" and int(status_field(status, "Seccomp_filters") or 1) >= 1)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
for mask in (1 << 21, 1 << 18, 0xFFFFFFFF, 1 << 6 | 1 << 7):
    for effective, permitted, inheritable in ((mask, mask, 0), (mask, mask, mask), (0, 0, mask), (mask, 0, 0)):
        data = (ctypes.c_uint32 * 6)(effective, permitted, inheritable, effective & 0x1FF, permitted & 0x1FF, 0)
        result, error = syscall(126, ctypes.byref(header), ctypes.byref(data))
        check(f"capset {effective:x} {permitted:x} {inheritable:x}", result == -1, error)
for number in range(41):
    result, error = syscall(157, 47, 2, number, 0, 0)  # PR_CAP_AMBIENT_RAISE
    if result == 0:
        hole(f"ambient {number}")
for words in ((8, 1), (28, 0), (28, 0x2F), (24, 0)):  # keep capabilities, unlock securebits, drop from bounding set
    result, error = syscall(157, *words, 0, 0, 0)
    check(f"prctl {words}", result == -1, error)
for n in (0, 1, 2, 999, 1001, 65534, 100000):
    for name, number, words in (("setuid", 105, (n,)), ("setgid", 106, (n,)), ("setresuid", 117, (n, n, n)), ("setresgid", 119, (n, n, n)),
                                ("setreuid", 113, (n, n)), ("setgroups", 116, (1, ctypes.byref(ctypes.c_uint32(n))))):
        result, error = syscall(number, *words)
        check(f"{name} {n}", result == -1, error)
    syscall(122, n)  # setfsuid tells the old one, always
    check(f"setfsuid {n}", syscall(122, -1)[0] == 1000)
text = read("/proc/self/status").decode()
check("still none", not [v for _, v in re.findall(r"^Cap(\w+):\s+(\w+)", text, re.M) if int(v, 16)])
