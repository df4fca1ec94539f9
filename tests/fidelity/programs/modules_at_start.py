import sys

print(sorted(sys.modules))
import importlib  # noqa: E402

print(sorted(name for name in vars(importlib) if not name.startswith("__")))
