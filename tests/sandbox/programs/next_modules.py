# SPDX-License-Identifier: MIT
"""Changes the modules it has, and adds some; a later run has them as they were made."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^changed
import json
import types

json.dumps = lambda *a, **k: "cuvette_escape"
os.path.join = lambda *a: "/cuvette_escape"
os.cuvette_escape = sys.cuvette_escape = True
for name in list(sys.modules):
    if name not in ("sys", "os", "__main__", "builtins"):
        sys.modules[name].__dict__["cuvette_escape"] = name
sys.modules["cuvette_escape"] = types.ModuleType("cuvette_escape")
sys.modules["random"] = sys.modules["cuvette_escape"]
sys.path.insert(0, "/tmp/cuvette_escape")
print("changed")
# ---- the next run
import json

marked = [name for name, module in sys.modules.items() if "cuvette_escape" in getattr(module, "__dict__", {})]
check("modules", not marked and "cuvette_escape" not in sys.modules, marked[:5])
check("functions", json.dumps([1]) == "[1]" and os.path.join("a", "b") == "a/b")
check("path", not any("cuvette" in p for p in sys.path if not p.startswith("/nix/store")), sys.path)
