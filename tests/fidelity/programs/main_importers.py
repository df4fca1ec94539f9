import sys

print(sys.path_importer_cache.get("main.py", "not asked"), [type(hook).__name__ for hook in sys.path_hooks])
print(list(sys.path_importer_cache)[-1], __loader__.__class__.__name__, __spec__, "no archive: PK\x05\x06")
