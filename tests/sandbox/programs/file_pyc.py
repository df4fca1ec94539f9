# SPDX-License-Identifier: MIT
"""Poisoned byte code for modules of the closure, where Python looks for it."""
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held cache
import importlib.util
import json
import py_compile

source = "/tmp/evil.py"
with open(source, "w") as f:
    f.write("print('poisoned')\n")
for module in (json, os):
    target = importlib.util.cache_from_source(module.__file__)
    try:
        py_compile.compile(source, cfile=target, doraise=True)
        hole(f"cache {target}")
    except OSError as error:
        held(f"cache {target}", error)
for path in sys.path:
    if path and not path.startswith("/box"):
        raises(f"path {path}", os.open, path + "/sitecustomize.py", os.O_CREAT | os.O_WRONLY)
