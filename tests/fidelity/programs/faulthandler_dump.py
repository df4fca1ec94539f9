import faulthandler
import sys
import threading

done = threading.Event()
t = threading.Thread(target=done.wait)
t.start()
print(faulthandler.is_enabled())
faulthandler.dump_traceback(all_threads=False)
sys.stderr.flush()
done.set()
t.join()
