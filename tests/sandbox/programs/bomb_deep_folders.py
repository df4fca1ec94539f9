# SPDX-License-Identifier: MIT
"""A path deeper than any path can be named: it has to be cleared all the same."""
# paths: cold - folders of its own size; bomb_folders has the usual ones
# limits: timeout=20 work_inodes=65536
# expect: status success
# expect: stdout ~ ^deep
import os

depth = 0
try:
    while depth < 20000:
        os.mkdir("d" * 100)
        os.chdir("d" * 100)
        depth += 1
except OSError as error:
    print(error)
print("deep", depth)
