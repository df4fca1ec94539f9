# SPDX-License-Identifier: MIT
"""Extended attributes on files of tmpfs: memory that is no page of a file."""
# needs: cgroup-memory
# limits: timeout=15 memory=64MiB
# expect: status success out-of-memory
# expect: memory < 80MiB
n = 0
for n in range(3000):
    path = f"/tmp/{n}"
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        for k in range(8):
            os.setxattr(path, f"user.{k}", b"x" * 60000)
    except OSError as error:
        print(n, error)
        break
print("files", n)
