# SPDX-License-Identifier: MIT
"""clone with flags a filter may overlook: in the upper half of the register, with
threads, with the flags that only make sense together."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held clone
CLONE_PARENT, NAMESPACES = 0x8000, {"user": 0x10000000, "mnt": 0x20000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x8000000,
                                    "uts": 0x4000000, "cgroup": 0x2000000}
me = os.getpid()


def tried(name, flags):
    result, error = syscall(56, flags, 0, 0, 0, 0)
    if os.getpid() != me or result == 0:
        os._exit(0)
    check(name, result == -1 and error in REFUSALS + (22,), f"{result} {error}")


tried("clone parent", CLONE_PARENT | 17)
for high in (1 << 32, 1 << 40, 1 << 63, 0xFFFFFFFF << 32):
    tried(f"clone parent {high:x}", high | CLONE_PARENT | 17)
    for name, flag in NAMESPACES.items():
        tried(f"clone {name} {high:x}", high | flag | 17)
for name, flag in NAMESPACES.items():
    tried(f"clone {name}", flag | 17)
    tried(f"clone {name} with parent", flag | CLONE_PARENT | 17)
    result, error = syscall(272, (1 << 32) | flag)
    check(f"unshare {name}", result == -1 and error in REFUSALS, error)
refused("unshare time", 272, 0x80)
refused("clone3", 435, 0, 0)
