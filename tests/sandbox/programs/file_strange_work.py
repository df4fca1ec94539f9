# SPDX-License-Identifier: MIT
"""Leaves a FIFO, a socket, a loop of links and a folder where files were."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^all left
# expect: wall < 8
import socket

os.unlink("/box/main.py")
os.mkfifo("/box/main.py")
os.symlink("loop", "/box/loop")
os.symlink("/proc/self/fd/0", "/box/requirements.txt")
os.mkdir("/box/..." )
os.mkdir("/box/closed", 0)
s = socket.socket(socket.AF_UNIX)
s.bind("/box/socket")
os.chmod("/box", 0)
print("all left")
