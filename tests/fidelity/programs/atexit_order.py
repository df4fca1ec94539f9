import atexit
import sys


@atexit.register
def first():
    print("registered first", __name__, "__file__" in globals(), sys.is_finalizing())


atexit.register(print, "registered second", sep="-", end=".\n")


def more():
    atexit.register(print, "registered by a handler")


atexit.register(more)
atexit.register(atexit.unregister, first)
atexit.unregister(more)
print("main")
