# SPDX-License-Identifier: MIT
"""runc: the running program's own file, opened for writing by /proc/self/exe, and
what a descriptor kept open leads to (leaky vessels)."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held exe
for path in ("/proc/self/exe", "/proc/thread-self/exe", "/proc/1/exe", f"/proc/{os.getpid()}/exe"):
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
        raises("exe", os.open, path, flags)
fd = os.open(os.path.realpath("/proc/self/exe"), os.O_PATH)
raises("by path", os.open, f"/proc/self/fd/{fd}", os.O_WRONLY)
os.close(fd)
root = os.stat("/")
for n in range(0, 20):
    path = f"/proc/self/fd/{n}" + "/.." * 20
    try:
        got = os.stat(path)
        check(f"folder {n}", (got.st_dev, got.st_ino) == (root.st_dev, root.st_ino))
    except OSError:
        pass
got = os.stat("/proc/self/cwd" + "/.." * 20)
check("folder", (got.st_dev, got.st_ino) == (root.st_dev, root.st_ino))
check("reachable", os.getcwd() == "/box")
