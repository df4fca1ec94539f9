# SPDX-License-Identifier: MIT
"""The victim's files: work folder, /tmp, /dev/shm, home, and anywhere else."""
# with: victim
# args: {secret}
# limits: timeout=30
# expect: status success
# expect: stdout ~ ^held files
mark = "cuvette-victim-" + sys.argv[1]
found = []
for top in ("/tmp", "/dev/shm", "/box", "/home", "/run", "/var", "/dev", "/mnt", "/srv"):
    for folder, folders, files in os.walk(top):
        found += [os.path.join(folder, name) for name in files + folders if mark in name]
check("files", not found, found)
