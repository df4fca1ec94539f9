import ctypes
import faulthandler
import sys

faulthandler.enable()


def f():
    ctypes.string_at(0)


sys.stdout.write("lost")
f()
