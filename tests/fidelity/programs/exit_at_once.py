import atexit
import os

atexit.register(print, "never")
print("lost, for it is in a buffer")
os._exit(6)
