import weakref


class A:
    pass


a = A()
kept = weakref.ref(a, lambda r: print("callback", r() is None))
both = [A(), None]
both[1] = weakref.ref(both[0], lambda r: print("in a list"))
print("main")
