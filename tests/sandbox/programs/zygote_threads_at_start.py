# SPDX-License-Identifier: MIT
"""A forked interpreter has one thread, no children, no zombie, and knows no other."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held threads
import threading

check("threads", len(os.listdir("/proc/self/task")) == 1 and threading.active_count() == 1)
raises("children", os.waitpid, -1, os.WNOHANG)
children = b""
try:
    children = read(f"/proc/self/task/{os.getpid()}/children")
except OSError:
    pass
check("none listed", not children.strip(), children)
check("main", threading.main_thread() is threading.current_thread() and threading.get_native_id() == os.getpid())
check("session", os.getsid(0) in (0, os.getpid(), 1) and os.getpgrp() in (0, os.getpid(), 1), (os.getsid(0), os.getpgrp()))
for sid in (0, 1):
    raises(f"group {sid}", os.setpgid, 0, sid + 100)
