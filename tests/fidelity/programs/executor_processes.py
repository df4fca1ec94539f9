import concurrent.futures
import os


def square(x):
    return x * x, os.getppid() == parent


parent = os.getpid()
with concurrent.futures.ProcessPoolExecutor(2) as pool:
    print(list(pool.map(square, range(5))))
