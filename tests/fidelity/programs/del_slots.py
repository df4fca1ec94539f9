class D:
    __slots__ = ()

    def __del__(self):
        print("del of an object without a dictionary")


held = {"a": (D(), 1)}
