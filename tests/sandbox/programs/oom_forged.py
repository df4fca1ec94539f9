# SPDX-License-Identifier: MIT
"""Looks as if it had run out of memory, and has not."""
# limits: timeout=15
# expect: status killed
# expect: signal SIGKILL
print("Killed\nout of memory: MemoryError", flush=True)
os.write(2, b"Out of memory: Killed process\n")
os.kill(os.getpid(), signal.SIGKILL)
