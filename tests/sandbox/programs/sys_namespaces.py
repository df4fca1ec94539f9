# SPDX-License-Identifier: MIT
"""New namespaces, by each call that makes or joins them."""
# limits: timeout=15
# outside: fails
# expect: status success
# expect: stdout ~ ^held unshare user
# expect: stdout ~ ^held clone user
# expect: stdout ~ ^held clone3
import ctypes

SPACES = {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x8000000, "uts": 0x4000000, "cgroup": 0x2000000, "time": 0x80}
for name, flag in SPACES.items():
    code = in_child(lambda: 42 if syscall(272, flag)[0] == 0 else 0)
    check("unshare " + name, code != 42)
    code = in_child(lambda: 42 if syscall(272, flag | 0x10000000)[0] == 0 else 0)
    check("unshare user and " + name, code != 42)
    if name != "time":
        result, error = syscall(56, flag | 17, 0, 0, 0, 0)
        if result == 0:
            os._exit(0)
        check("clone " + name, result == -1 and error in REFUSALS, error)
        result, error = syscall(56, flag | 0x10000000 | 17, 0, 0, 0, 0)
        if result == 0:
            os._exit(0)
        check("clone user and " + name, result == -1 and error in REFUSALS, error)
arguments = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
result, error = syscall(435, ctypes.byref(arguments), 88)
if result == 0:
    os._exit(0)
check("clone3", result == -1 and error == errno.ENOSYS, error)
for name in ("mnt", "net", "pid", "user", "uts", "ipc", "cgroup"):
    try:
        fd = os.open(f"/proc/self/ns/{name}", os.O_RDONLY)
    except OSError:
        fd = -1
    refused("setns " + name, 308, fd, 0)
