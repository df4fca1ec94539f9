# SPDX-License-Identifier: MIT
"""The trusted first process of the box: nothing of it can be read or changed."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held environ
# expect: stdout ~ ^held root
for name in ("environ", "mem", "maps", "smaps", "auxv", "stack", "syscall", "personality", "pagemap", "io", "map_files", "fd", "fdinfo", "task/1/environ"):
    path = f"/proc/1/{name}"
    raises(name, lambda p: os.listdir(p) if name in ("fd", "fdinfo", "map_files") else read(p), path)
for name in ("root", "cwd", "exe", "fd/0", "fd/3", "ns/mnt", "ns/net", "ns/pid", "ns/user"):
    raises(name, os.readlink, f"/proc/1/{name}")
for name in ("root/etc/passwd", "cwd/etc/passwd"):
    raises(name, read, f"/proc/1/{name}")
for name in ("oom_score_adj", "mem", "comm", "coredump_filter", "uid_map", "attr/current", "clear_refs", "timens_offsets"):
    raises(f"write {name}", os.open, f"/proc/1/{name}", os.O_WRONLY)
