import threading


def work():
    raise ValueError("in a thread")


t = threading.Thread(target=work, name="worker")
t.start()
t.join()
threading.excepthook = lambda a: print("hook", a.exc_type.__name__, a.exc_value, a.thread.name)
t = threading.Thread(target=work, name="second")
t.start()
t.join()
