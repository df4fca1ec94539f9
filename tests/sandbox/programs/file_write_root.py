# SPDX-License-Identifier: MIT
"""Makes, changes and removes files in every folder that is not for writing."""
# limits: timeout=30
# expect: status success
# expect: stdout ~ ^held folders
# expect: stdout ~ ^held writable
ALLOWED = ("/box", "/tmp", "/dev/shm", "/home/cuvette", "/proc")
made, writable, seen = [], [], 0
for folder, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if not os.path.islink(os.path.join(folder, f))
                  and os.path.join(folder, f) not in ALLOWED]
    seen += 1
    try:
        os.close(os.open(folder + "/cuvette-escape", os.O_CREAT | os.O_WRONLY))
        made.append(folder)
    except OSError:
        pass
    try:
        os.mkdir(folder + "/cuvette-escape-folder")
        made.append(folder)
    except OSError:
        pass
    for name in files:
        path = os.path.join(folder, name)
        if os.path.islink(path) or path.startswith("/dev/"):
            continue
        try:
            os.close(os.open(path, os.O_WRONLY))
            writable.append(path)
        except OSError:
            pass
check("folders", not made and seen > 50, f"{seen} folders {made[:10]}")
check("writable", not writable, writable[:10])
