import atexit
import sys

atexit.register(print, "third")
atexit.register(sys.exit, 9)
atexit.register(print, "first")
print("main")
