import gc


class C:
    def __init__(self, n):
        self.me, self.n = self, n

    def __del__(self):
        order.append(self.n)


order = []
print(gc.get_threshold(), gc.isenabled(), gc.get_debug(), gc.callbacks, gc.garbage)
for i in range(2000):
    C(i)
print(order == sorted(order), len(order) > 0)
gc.collect()
print(len(order))
gc.disable()
gc.set_threshold(5, 6, 7)
print(gc.isenabled(), gc.get_threshold())
