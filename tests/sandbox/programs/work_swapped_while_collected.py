# SPDX-License-Identifier: MIT
"""Children that stay swap files for links, folders and FIFOs without end, as the
work folder would be read."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^swapping
# expect: wall < 6
os.symlink("/etc/passwd", "/box/link")
os.mkfifo("/box/fifo")
os.mkdir("/box/folder")
for n in range(4):
    if os.fork() == 0:
        os.setsid()
        while True:
            for name in ("link", "fifo", "folder"):
                try:
                    os.rename("/box/main.py", f"/box/away{n}")
                    os.rename("/box/" + name, "/box/main.py")
                    os.rename("/box/main.py", "/box/" + name)
                    os.rename(f"/box/away{n}", "/box/main.py")
                    syscall(316, -100, b"/box/main.py", -100, b"/box/link", 2)
                except OSError:
                    pass
print("swapping")
