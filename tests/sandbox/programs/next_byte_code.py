# SPDX-License-Identifier: MIT
"""Byte code for modules where Python may look for it: the closure's caches, the
work folder's, a prefix of its own, and old names beside the sources."""
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held written
import importlib.util
import py_compile

with open("/tmp/evil.py", "w") as f:
    f.write("import builtins\nbuiltins.cuvette_escape = 1\n")
made = []
for module in ("json", "re", "random", "main", "sitecustomize", "usercustomize", "encodings"):
    spec = importlib.util.find_spec(module) if module not in ("main", "sitecustomize", "usercustomize") else None
    sources = ([spec.origin] if spec and spec.origin else []) + [f"/box/{module}.py", f"/tmp/{module}.py", f"/home/cuvette/{module}.py"]
    for source in sources:
        for target in (importlib.util.cache_from_source(source), source + "c"):
            try:
                py_compile.compile("/tmp/evil.py", cfile=target, doraise=True,
                                   invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
                made.append(target)
            except OSError:
                pass
check("written", all(t.startswith(("/box/", "/tmp/", "/home/cuvette/")) for t in made), made)
# ---- the next run
import builtins
import json
import random
import re

check("modules", not hasattr(builtins, "cuvette_escape"))
left = [f for f in os.listdir("/box") if f not in ("main.py", "requirements.txt")]
check("folders", not left and not os.listdir("/tmp") and not os.listdir("/home/cuvette"), left)
