# SPDX-License-Identifier: MIT
"""Import hooks, exception hooks, handlers at exit, traces."""
import atexit
import sys

sys.meta_path.insert(0, type("Finder", (), {"find_spec": staticmethod(lambda *a: None)}))
sys.excepthook = lambda *a: None
sys.unraisablehook = lambda *a: None
sys.setprofile(lambda *a: None)
atexit.register(lambda: None)
