import atexit
import threading


def work():
    t = threading.Thread(target=print, args=("thread of a handler",))
    t.start()
    t.join()


atexit.register(work)
