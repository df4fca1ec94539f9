# SPDX-License-Identifier: MIT
"""Leaves the output pipes to a child that writes while the end is being counted."""
# limits: timeout=15 stdout_limit=65536
# expect: status success output-limit
# expect: stdout_bytes <= 65536
# expect: wall < 8
for n in range(6):
    if os.fork() == 0:
        os.setsid()
        while True:
            try:
                os.write(1 + n % 2, b"late " * 100)
            except OSError:
                pass
os.write(1, b"main ends\n")
os.close(1)
os.close(2)
os._exit(0)
