import threading

out = []
threads = [threading.Thread(target=out.append, args=(i,), name=f"n{i}") for i in range(20)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sorted(out), threading.active_count(), threading.current_thread().name, threading.main_thread() is threading.current_thread())
