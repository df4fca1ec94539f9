import threading


class D:
    def __del__(self):
        print("del", flush=True)


local = threading.local()
local.d = D()
timer = threading.Timer(0.02, print, ("timer",))
timer.start()
print("main")
