import sys

events = []


def trace(frame, event, arg):
    if frame.f_code.co_filename == "/box/main.py":
        events.append((event, frame.f_lineno, frame.f_code.co_name))
    return trace


def f(n):
    for i in range(n):
        n += i
    return n


sys.settrace(trace)
f(2)
sys.settrace(None)
print(events)
sys.setprofile(lambda frame, event, arg: None)
print(sys.getprofile() is not None)
