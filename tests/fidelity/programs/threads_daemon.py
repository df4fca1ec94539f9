import threading
import time

ready = threading.Event()


def work():
    ready.set()
    time.sleep(60)
    print("never")


threading.Thread(target=work, daemon=True).start()
ready.wait()
print("end of main")
