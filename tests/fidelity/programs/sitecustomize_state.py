# environment: custom
import builtins
import sys

print(builtins.set_by_sitecustomize, "sitecustomize" in sys.modules, sys.modules["sitecustomize"].__file__)
