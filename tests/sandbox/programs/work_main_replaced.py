# SPDX-License-Identifier: MIT
"""Puts something else in the place of every name the trusted side may know: links to
what is outside, folders, FIFOs, devices, sockets."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^replaced
import socket
import stat

names = ("main.py", "requirements.txt", "stdin", "stdout", "stderr", "result.json", "metadata", "run.sh", "compile", "script.sh",
         "__pycache__", ".cache", "output", "pyproject.toml", "core", ".git", "artifacts", "box")
targets = ("/tmp/cuvette-escape-link", "/var/tmp/cuvette-escape-link", "/run/cuvette-escape-link", "/dev/shm/cuvette-escape-link",
           "/etc/passwd", "/proc/1/root/tmp/cuvette-escape-link", "../../../../tmp/cuvette-escape-link", "/proc/self/fd/1")
replaced = 0
for n, name in enumerate(names):
    for folder in ("/box", "/tmp", "/home/cuvette"):
        path = f"{folder}/{name}"
        try:
            if os.path.lexists(path):
                os.unlink(path)
            kind = n % 4
            if kind == 0 or name == "main.py":
                os.symlink(targets[(n + replaced) % len(targets)], path)
            elif kind == 1:
                os.mkfifo(path)
            elif kind == 2:
                s = socket.socket(socket.AF_UNIX)
                s.bind(path)
            else:
                os.mkdir(path, 0)
            replaced += 1
        except OSError as error:
            print(path, error)
        try:
            os.mknod(path + ".device", stat.S_IFCHR | 0o666, os.makedev(1, 1))
            hole("device")
        except OSError:
            pass
print("replaced", replaced)
