import sys


class D:
    def __del__(self):
        print("del")
        sys.exit(8)


d = D()
sys.exit(2)
