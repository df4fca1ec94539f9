# SPDX-License-Identifier: MIT
"""Everything of it is stopped, its own threads and its group too, by a child that
then stops itself; another would go on after the time."""
# limits: timeout=1
# expect: status timeout
import threading
import time

threading.Thread(target=time.sleep, args=(100,)).start()
if os.fork() == 0:
    for pid in range(2, 60):
        try:
            if pid != os.getpid():
                os.kill(pid, signal.SIGSTOP)
        except OSError:
            pass
    if os.fork() == 0:
        os.setsid()
        time.sleep(1.2)
        os.kill(-1, signal.SIGCONT)
        time.sleep(100)
    os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(100)
