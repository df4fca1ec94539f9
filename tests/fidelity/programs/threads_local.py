import threading


class D:
    def __del__(self):
        print("del", flush=True)


local = threading.local()
local.d = D()
said = threading.Event()
timer = threading.Timer(0.02, lambda: said.wait() and print("timer"))
timer.start()
print("main")
said.set()
