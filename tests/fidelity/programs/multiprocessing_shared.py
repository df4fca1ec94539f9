from multiprocessing import Lock, Process, Value, shared_memory


def work(name, value, lock):
    block = shared_memory.SharedMemory(name)
    block.buf[0] = 42
    block.close()
    with lock:
        value.value += 1


if __name__ == "__main__":
    block = shared_memory.SharedMemory(create=True, size=16)
    value, lock = Value("i", 1), Lock()
    p = Process(target=work, args=(block.name, value, lock))
    p.start()
    p.join()
    print(block.buf[0], value.value)
    block.close()
    block.unlink()
