import multiprocessing
import sys


def work(q, n):
    q.put((n + 1, __name__, sys.argv, multiprocessing.current_process().name))


print("imported as", __name__, flush=True)
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    q = context.SimpleQueue()
    p = context.Process(target=work, args=(q, 1), name="spawned")
    p.start()
    print(q.get())
    p.join()
    print(p.exitcode)
