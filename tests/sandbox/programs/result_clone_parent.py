# SPDX-License-Identifier: MIT
"""A sibling instead of a child: its parent would be the trusted side."""
# limits: timeout=10
# outside: fails
# expect: status success
# expect: stdout ~ ^held parent
result, error = syscall(56, 0x8000 | 17, 0, 0, 0, 0)  # clone(CLONE_PARENT|SIGCHLD)
if result == 0:
    os._exit(0)
check("parent", result == -1 and error in REFUSALS, f"{result} {error}")
result, error = syscall(56, 0x8000 | 0x4000 | 17, 0, 0, 0, 0)
if result == 0:
    os._exit(0)
check("parent vfork", result == -1 and error in REFUSALS, f"{result} {error}")
