import multiprocessing


class Thing:
    def __init__(self, n):
        self.n = n


def work(q, thing):
    print("child", multiprocessing.current_process().name, flush=True)
    q.put(thing)


if __name__ == "__main__":
    print(multiprocessing.get_start_method())
    q = multiprocessing.Queue()
    p = multiprocessing.Process(target=work, args=(q, Thing(4)), name="worker")
    p.start()
    print(q.get().n)
    p.join()
    print(p.exitcode)
    with multiprocessing.Pool(2) as pool:
        print(pool.map(len, ["a", "bb"]))
