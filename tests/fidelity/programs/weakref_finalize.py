import weakref


class A:
    pass


a, b, c = A(), A(), A()
weakref.finalize(a, print, "a at exit")
weakref.finalize(b, print, "b when it dies")
weakref.finalize(c, print, "c is not called at exit").atexit = False
del b
print("main")
