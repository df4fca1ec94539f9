import gc

gc.set_debug(gc.DEBUG_SAVEALL)


class A:
    pass


a = A()
a.me = a
del a
gc.collect()
print(len([g for g in gc.garbage if isinstance(g, A)]))
gc.set_debug(0)
