# SPDX-License-Identifier: MIT
"""What the mount table, the control groups and the maps tell of the host."""
# args: {state}
# limits: timeout=15
# outside: fails
# expect: status success
# expect: stdout ~ ^held maps
# expect: stdout ~ ^held cgroup
state = sys.argv[1].encode()
for name in ("mounts", "maps", "cgroup", "environ", "status", "auxv", "stat", "limits", "mountstats"):
    try:
        text = read("/proc/self/" + name, 1 << 20)
        check(name, state not in text, text[:100])
    except OSError as error:
        held(name, error)
text = read("/proc/self/cgroup").decode()
check("cgroup root", all(line.rpartition(":")[2] == "/" for line in text.split()), text.split())
# The bound store paths keep their place below their file system in mountinfo's
# fourth field: documented. The fifth, where they are mounted, must be ours.
points = [line.split()[4] for line in read("/proc/self/mountinfo").decode().splitlines()]
check("mount points", all(p.startswith(("/nix/store/", "/proc", "/dev", "/tmp", "/box", "/home/cuvette", "/run", "/sys")) or p in ("/", "/nix/store") for p in points), points)
