import atexit

atexit.register(print, "handler", "__file__" in globals())
atexit.register(lambda: print("__file__" in globals(), __import__("sys").last_type))
raise ValueError("main")
