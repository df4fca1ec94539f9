# SPDX-License-Identifier: MIT
"""Leaves code for the moment of a fork, of an exit, and of a collection."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^armed
import atexit
import gc
import threading
import weakref

os.register_at_fork(before=lambda: os.write(1, b"HOLE before\n") if os.getpid() != me else None,
                    after_in_child=lambda: None, after_in_parent=lambda: None)
me = os.getpid()
gc.callbacks.append(lambda phase, info: None)
threading.settrace(lambda *a: None)
sys.settrace(lambda *a: None)
sys.setprofile(lambda *a: None)
sys.addaudithook(lambda *a: None)
atexit.register(lambda: os.write(1, b"armed\n"))
weakref.finalize(threading, print, "finalised")
# ---- the next run
import gc
import sys
import threading

check("hooks", not gc.callbacks and sys.gettrace() is None and sys.getprofile() is None)
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(w, b"%d" % threading.active_count())
    os._exit(0)
os.waitpid(pid, 0)
check("fork", os.read(r, 10) == b"1")
