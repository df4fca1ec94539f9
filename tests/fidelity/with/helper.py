"""A module beside main.py."""


def twice(x):
    return x * 2
