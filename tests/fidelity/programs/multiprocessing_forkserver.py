import multiprocessing


def work(q):
    q.put(__name__)


if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    q = context.SimpleQueue()
    p = context.Process(target=work, args=(q,))
    p.start()
    print(q.get())
    p.join()
    print(p.exitcode)
