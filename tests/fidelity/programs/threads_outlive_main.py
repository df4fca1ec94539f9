import threading
import time

said = threading.Event()


def work():
    said.wait()
    time.sleep(0.5)
    print("after main, main is alive:", threading.main_thread().is_alive())


threading.Thread(target=work).start()
print("end of main")
said.set()
