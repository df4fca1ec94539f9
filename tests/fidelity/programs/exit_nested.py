import sys


def f():
    try:
        sys.exit(3)
    finally:
        print("finally")


class C:
    def __exit__(self, *a):
        print("exit", a[0], a[1])

    def __enter__(self):
        print("enter")


with C():
    f()
