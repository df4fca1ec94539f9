class D:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("del", self.name, sorted(k for k, v in globals().items() if not k.startswith("__") and v is not None))


a, b, _c = D("a"), D("b"), D("_c")
print("main")
