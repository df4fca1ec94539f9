import atexit


def bad():
    raise ValueError("in a handler")


atexit.register(print, "still called")
atexit.register(bad)
