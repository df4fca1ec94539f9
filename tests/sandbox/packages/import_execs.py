# SPDX-License-Identifier: MIT
"""Its import becomes another program, which talks to the control socket."""
# import: no
import os

os.set_inheritable(3, True) if os.path.exists("/proc/self/fd/3") else None
os.execv("/usr/bin/python3", ["python3", "-c", """
import os, time
try:
    for _ in range(100):
        os.write(3, b"\\1\\0\\0\\0" + b"\\0" * 20)
finally:
    time.sleep(1000)
"""])
