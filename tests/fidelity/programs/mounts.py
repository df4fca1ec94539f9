# environment: custom
# sandbox: scratch folders have limits, /dev and /nix/store are read-only, devices are no mounts, host's root is nobody
# sandbox lines: ^/dev|^/nix/store |^/\S+ 0o
import os

for fields in sorted((line.split() for line in open("/proc/self/mountinfo")), key=lambda fields: fields[4]):
    if not fields[4].endswith("-cuvette-zygote"):
        print(fields[4], fields[5], fields[fields.index("-") + 1])
for path in ("/box", "/tmp", "/home/cuvette", "/dev/shm", "/proc"):
    s, v = os.stat(path), os.statvfs(path)
    print(path, oct(s.st_mode), s.st_uid, s.st_gid, v.f_blocks * v.f_frsize if path != "/proc" else "", v.f_files if path != "/proc" else "")
for path in ("/etc/x", "/usr/x", "/x"):
    try:
        open(path, "w")
    except OSError as e:
        print(e)
