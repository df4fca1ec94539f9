# SPDX-License-Identifier: MIT
"""Symbolic links and handles on folders, up and out."""
# limits: timeout=20
# args: {state}
# expect: status success
# expect: stdout ~ ^held root
root = os.stat("/").st_ino, os.stat("/").st_dev
up = os.open("/box", os.O_PATH | os.O_DIRECTORY)
for _ in range(50):
    up = os.open("..", os.O_PATH | os.O_DIRECTORY, dir_fd=up)
check("root", (os.fstat(up).st_ino, os.fstat(up).st_dev) == root)
for target in ("/etc/shadow", "/proc/1/root/etc/shadow", "/../../../../etc/shadow", "/proc/self/root/../etc/shadow",
               "/proc/self/cwd/../../../../etc/shadow", sys.argv[1], sys.argv[1] + "/nix", "/var/lib/dpkg/status"):
    os.symlink(target, "/box/link")
    try:
        text = os.listdir("/box/link") if os.path.isdir("/box/link") else read("/box/link")
        check(f"link {target}", False, repr(text)[:60])
    except OSError as error:
        held(f"link {target}", error)
    os.unlink("/box/link")
os.mkdir("/tmp/inner")
inside = os.open("/tmp/inner", os.O_PATH | os.O_DIRECTORY)
os.rename("/tmp/inner", "/tmp/moved")
for _ in range(20):
    inside = os.open("..", os.O_PATH | os.O_DIRECTORY, dir_fd=inside)
check("moved folder", (os.fstat(inside).st_ino, os.fstat(inside).st_dev) == root)
