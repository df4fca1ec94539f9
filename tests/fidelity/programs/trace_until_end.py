import sys


class D:
    def __del__(self):
        pass


def trace(frame, event, arg):
    if event == "call" and frame.f_code.co_name in ("__del__", "_shutdown"):
        sys.__stdout__.write(frame.f_code.co_name + "\n")


d = D()
import threading
sys.settrace(trace)
