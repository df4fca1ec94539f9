def gen(name):
    try:
        yield 1
    finally:
        print("finally", name)


g = gen("global")
next(g)
h = gen("not begun")
done = gen("done")
list(done)


def plain():
    yield 1
    yield 2


p = plain()
next(p)


def delegates():
    yield from gen("inner")


d = delegates()
next(d)
print("main")
