# SPDX-License-Identifier: MIT
"""As deep as the usual work folder lets one go, and then the top is moved into the bottom."""
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^deep [0-9]{4}
top, depth = os.open(".", os.O_RDONLY), 0
try:
    while True:
        os.mkdir("d")
        os.chdir("d")
        depth += 1
except OSError:
    pass
for source, target in (("/box", "./box"), ("/tmp", "./tmp"), ("/box/d", "./d"), ("/proc/self/cwd", "/tmp/x")):
    try:
        os.rename(source, target)
    except OSError:
        pass
print("deep", depth, flush=True)
