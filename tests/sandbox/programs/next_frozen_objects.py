# SPDX-License-Identifier: MIT
"""Writes to objects that all interpreters of one origin share: small numbers, the
types, empty tuples, frozen ones. In a fork each page written to is one's own."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^written
import ctypes
import gc

vars_of_str = gc.get_referents(str.__dict__)[0]
vars_of_str["cuvette_escape"] = 1
vars_of_object = gc.get_referents(object.__dict__)[0]
vars_of_object["cuvette_escape"] = 1
ctypes.pythonapi.PyType_Modified(ctypes.py_object(str))
gc.freeze()
gc.unfreeze()
gc.disable()
sys.stdout.write("written\n")
sys.stdout.flush()
ctypes.c_uint32.from_address(id(7) + 24).value = 8
ctypes.c_uint32.from_address(id(True) + 24).value = 0
os._exit(0)
# ---- the next run
import gc

check("numbers", int("3") + int("4") == 7 and True + True == 2)
check("types", not hasattr(str, "cuvette_escape") and not hasattr(object(), "cuvette_escape"))
check("collector", gc.isenabled())
