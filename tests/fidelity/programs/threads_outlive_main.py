import threading
import time


def work():
    time.sleep(0.1)
    print("after main, main is alive:", threading.main_thread().is_alive())


threading.Thread(target=work).start()
print("end of main")
