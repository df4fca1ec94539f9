# SPDX-License-Identifier: MIT
"""/proc shows the run's own processes and nothing of the machine."""
# limits: timeout=15
# outside: fails
# expect: status success
# expect: stdout ~ ^held top
names = {name for name in os.listdir("/proc") if not name.isdigit()}
check("top", names <= {"self", "thread-self"}, sorted(names)[:10])
for name in ("sys", "kcore", "kallsyms", "keys", "modules", "config.gz", "sysrq-trigger", "kmsg", "mounts/..", "interrupts", "meminfo",
             "cmdline", "version", "cpuinfo", "partitions", "swaps", "iomem", "slabinfo", "vmallocinfo", "timer_list", "sysvipc/shm", "bus", "fs", "driver"):
    try:
        os.stat("/proc/" + name)
        # /proc/mounts is a link to self/mounts, which is the run's own.
        check(name, name == "mounts/..")
    except OSError as error:
        held(name, error)
