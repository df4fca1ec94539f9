import contextlib


@contextlib.contextmanager
def manager():
    try:
        print("enter")
        yield
    finally:
        print("exit")


stack = contextlib.ExitStack()
stack.enter_context(manager())
stack.callback(print, "never called")
print("main")
