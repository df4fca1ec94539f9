class L(list):
    def __del__(self):
        print("del", len(self))


class I(int):
    def __del__(self):
        print("del", int(self))


x, y = L([1, 2]), I(7)
