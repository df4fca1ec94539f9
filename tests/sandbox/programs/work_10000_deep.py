# SPDX-License-Identifier: MIT
"""Ten thousand folders, each in the last, a link and a file in every hundredth."""
# paths: cold - a work folder of its own size
# limits: timeout=20 work_inodes=65536
# expect: status success
# expect: stdout ~ ^deep 10000
depth = 0
for depth in range(1, 10001):
    os.mkdir("d")
    os.chdir("d")
    if depth % 100 == 0:
        os.symlink("../" * 50 + "etc/passwd", "link")
        with open("file", "w") as f:
            f.write("x")
print("deep", depth, flush=True)
