import concurrent.futures

with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(list(pool.map(lambda x: x * x, range(10))))
    f = pool.submit(lambda: 1 / 0)
print(type(f.exception()).__name__)
