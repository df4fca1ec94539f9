# SPDX-License-Identifier: MIT
"""As many mappings as the kernel allows, each of its own kind."""
# needs: cgroup-memory
# limits: timeout=20 memory=64MiB
# expect: status success out-of-memory
# expect: memory < 80MiB
made = 0
while made < 200_000:
    result, _ = syscall(9, 0, 4096, 1 if made % 2 else 0, 0x22, -1, 0)  # mmap
    if result == -1:
        break
    made += 1
check("mappings", made < 200_000, made)
