import sys


class D:
    def __del__(self):
        raise ValueError("unraisable")


sys.unraisablehook = lambda a: print("hook", a.exc_type.__name__, a.exc_value, a.err_msg)
D()
d = D()
