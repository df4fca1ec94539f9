# with: helper.py
import importlib
import sys

import helper

print(helper.twice(21), helper.__name__, helper.__file__, sys.path[0])
importlib.reload(helper)
print("helper" in sys.modules, sys.modules["helper"] is helper)
