# SPDX-License-Identifier: MIT
"""Leaves a mark in every place; the run after it must find none of them."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^left
import mmap
import socket

for folder in ("/box", "/tmp", "/dev/shm", "/home/cuvette"):
    with open(folder + "/cuvette-escape-mark", "w") as f:
        f.write("was here")
for name in ("sitecustomize.py", "usercustomize.py", "json.py", "os.py", ".pythonrc"):
    with open("/box/" + name, "w") as f:
        f.write("print('cuvette-escape-mark')\n")
s = socket.socket(socket.AF_UNIX)
s.bind("\0cuvette-escape-mark")
s.listen()
if os.fork() == 0:
    os.setsid()
    signal.pause()
print("left")
