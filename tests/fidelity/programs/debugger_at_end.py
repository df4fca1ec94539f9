def f(x):
    breakpoint()
    return x


f(1)
