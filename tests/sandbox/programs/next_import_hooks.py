# SPDX-License-Identifier: MIT
"""Puts finders, loaders and caches in the way of later imports."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^hooked
import importlib.machinery


class Finder:
    cuvette_escape = True

    @staticmethod
    def find_spec(name, path=None, target=None):
        return None


sys.meta_path.insert(0, Finder)
sys.path_hooks.insert(0, lambda p: Finder)
for key in list(sys.path_importer_cache):
    sys.path_importer_cache[key] = Finder
sys.path_importer_cache["/box"] = Finder
importlib.machinery.SOURCE_SUFFIXES.insert(0, ".cuvette_escape")
sys.dont_write_bytecode, sys.pycache_prefix = False, "/tmp/cuvette_escape"
print("hooked")
# ---- the next run
import importlib.machinery

check("finders", not [f for f in sys.meta_path if hasattr(f, "cuvette_escape")])
check("caches", not [k for k, f in sys.path_importer_cache.items() if hasattr(f, "cuvette_escape")])
check("suffixes", importlib.machinery.SOURCE_SUFFIXES == [".py"] and sys.pycache_prefix is None)
check("hooks", len(sys.path_hooks) == 2, sys.path_hooks)
