# SPDX-License-Identifier: MIT
"""Judge0 and others: the trusted side ran, owned or copied what a link in the work
folder pointed to. Targets that would show on the host, by every name tried before."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^linked
linked = 0
for target in ("/tmp/cuvette-escape-followed", "/var/tmp/cuvette-escape-followed", "/run/cuvette-escape-followed",
               "/dev/shm/cuvette-escape-followed", "/proc/self/root/tmp/cuvette-escape-followed"):
    for name in ("main.py", "run", "run.sh", "compile.sh", "output", "stdout.log", "stderr.log", "meta", "box", "home"):
        for folder in ("/box", "/box/below"):
            if not os.path.isdir(folder):
                os.mkdir(folder)
            path = f"{folder}/{name}"
            if os.path.lexists(path) and not os.path.isdir(path):
                os.unlink(path)
            if not os.path.lexists(path):
                os.symlink(target, path)
                linked += 1
os.chmod("/box", 0o777)
print("linked", linked)
