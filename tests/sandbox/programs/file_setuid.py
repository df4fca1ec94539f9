# SPDX-License-Identifier: MIT
"""A copy of a program with the set-uid bit, and programs that have it already."""
# limits: timeout=30
# expect: status success
# expect: stdout ~ ^held none
# expect: stdout ~ ^held copy
import shutil
import stat
import subprocess

found = []
for folder, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(folder, f) != "/proc"]
    for name in files:
        path = os.path.join(folder, name)
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode) and mode & 0o6000:
                found.append(path)
            elif stat.S_ISREG(mode) and "security.capability" in os.listxattr(path, follow_symlinks=False):
                found.append(path)
        except OSError:
            pass
check("none", not found, found[:10])
shutil.copy(os.path.realpath(sys.executable), "/tmp/copy")
try:
    os.chmod("/tmp/copy", 0o6755)
except OSError as error:
    held("chmod", error)
try:
    text = subprocess.run(["/tmp/copy", "-IS", "-c", "import os;print(os.getresuid(),os.getresgid())"], capture_output=True, text=True).stdout
    check("copy", text.strip() in ("", f"({1000}, {1000}, {1000}) ({1000}, {1000}, {1000})"), text)
except OSError as error:
    held("copy", error)
