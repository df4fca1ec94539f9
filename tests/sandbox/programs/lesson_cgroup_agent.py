# SPDX-License-Identifier: MIT
"""cgroups: a release agent, a group of one's own, or the hierarchy at all."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held mount
for kind in (b"cgroup", b"cgroup2", b"tmpfs", b"proc", b"overlay", b"bpf", b"debugfs", b"fuse"):
    refused("mount " + kind.decode(), 165, b"x", b"/tmp", kind, 0, b"memory")
    refused("fsopen " + kind.decode(), 430, kind, 0)
for path in ("/sys", "/sys/fs/cgroup", "/cgroup", "/proc/cgroups", "/proc/sys", "/proc/sysrq-trigger"):
    check(path, not os.path.exists(path) or path == "/sys" and not os.listdir(path), path)
text = read("/proc/self/cgroup").decode()
check("names", all(line.split(":", 2)[2] in ("/", "") for line in text.splitlines()), text)
