import multiprocessing
import sys


def leave():
    sys.exit(3)


def fail():
    raise ValueError("in a child")


if __name__ == "__main__":
    for f in (leave, fail):
        p = multiprocessing.Process(target=f, name=f.__name__)
        p.start()
        p.join()
        print(p.exitcode)
    multiprocessing.Process(target=print, args=("not joined",)).start()
