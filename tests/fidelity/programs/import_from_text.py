import importlib.util
import sys

import watch

open("made.py", "w").write("value = __name__\n")
importlib.invalidate_caches()
import made

print(made.value, made.__cached__)
spec = importlib.util.spec_from_file_location("other", "made.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.value, watch.__name__)
print({k: v for k, v in sys.path_importer_cache.items() if k.startswith("/box")})
