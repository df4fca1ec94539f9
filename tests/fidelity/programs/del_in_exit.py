import sys


class D:
    def __del__(self):
        print("del")


def f():
    d = D()
    sys.exit(4)


f()
