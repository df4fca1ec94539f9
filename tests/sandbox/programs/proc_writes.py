# SPDX-License-Identifier: MIT
"""Files below /proc/self that would change more than the program itself."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held uid_map
def write(path, data):
    with open(path, "wb", buffering=0) as f:
        return f.write(data)


for name, data in (("uid_map", b"0 0 1"), ("gid_map", b"0 0 1"), ("setgroups", b"allow"), ("oom_score_adj", b"-1000"), ("oom_score_adj", b"-1"),
                   ("attr/exec", b"unconfined"), ("attr/current", b"unconfined"), ("loginuid", b"0"),
                   ("timens_offsets", b"1 100 0"), ("autogroup", b"-20")):
    raises(name, write, "/proc/self/" + name, data)
for name in ("kernel/core_pattern", "kernel/hostname", "kernel/modprobe", "kernel/sysrq", "vm/overcommit_memory", "kernel/ns_last_pid", "net/ipv4/ip_forward", "fs/binfmt_misc/register"):
    raises(name, write, "/proc/sys/" + name, b"1")
raises("sysrq", write, "/proc/sysrq-trigger", b"b")
raises("mem of init", os.open, "/proc/1/mem", os.O_RDWR)
