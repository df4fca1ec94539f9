import sys


def hook(t, v, tb):
    raise TypeError("the hook fails")


sys.excepthook = hook
raise ValueError("to the hook")
