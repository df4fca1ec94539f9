class D:
    def __del__(self):
        print("del")


class Holder:
    d = D()


def f(x=D()):
    return x


Holder.me = Holder
