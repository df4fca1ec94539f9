class D:
    def __del__(self):
        print("del")


def f():
    d = D()
    raise ValueError("d is in this frame")


f()
