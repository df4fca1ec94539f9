# SPDX-License-Identifier: MIT
"""/sys is not there, nor any control group file system, nor can one be mounted."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held sys
check("sys", not os.path.isdir("/sys") or os.listdir("/sys") == [])
for path in ("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/tasks", "/sys/kernel/debug", "/sys/power/state", "/sys/fs/bpf"):
    raises(path, os.stat, path)
for kind in (b"cgroup2", b"cgroup", b"sysfs", b"proc", b"tmpfs", b"devtmpfs", b"debugfs", b"bpf", b"overlay", b"mqueue"):
    refused("mount " + kind.decode(), 165, kind, b"/tmp", kind, 0, 0)
