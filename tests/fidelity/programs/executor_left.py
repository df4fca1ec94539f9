import concurrent.futures
import threading
import time

said = threading.Event()
pool = concurrent.futures.ThreadPoolExecutor(2)
pool.submit(lambda: (said.wait(), time.sleep(0.1), print("done after main")))
print("end of main")
said.set()
