# SPDX-License-Identifier: MIT
"""Replaces print, open and the import itself."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^replaced
import builtins

kept, print_kept = builtins.open, print
builtins.open = lambda *a, **k: kept("/dev/null", "rb")
builtins.__import__ = lambda *a, **k: sys
builtins.__build_class__ = lambda *a, **k: 7
builtins.cuvette_escape = builtins.len = builtins.print = lambda *a, **k: None
sys.displayhook = sys.excepthook = sys.unraisablehook = print_kept
os.write(1, b"replaced\n")
# ---- the next run
import builtins

names = ("open", "__import__", "__build_class__", "len", "print")
foreign = [n for n in names if type(getattr(builtins, n)).__name__ != "builtin_function_or_method"]
check("builtins", not foreign and not hasattr(builtins, "cuvette_escape"), foreign)
check("hooks", sys.excepthook is sys.__excepthook__ and sys.displayhook is sys.__displayhook__)
