# SPDX-License-Identifier: MIT
"""A hundred ends at once: threads that exit the process, children that kill it, a
parent that goes. There is one answer, and it is one of them."""
# limits: timeout=15
# expect: status success error killed
# expect: wall < 8
import threading
import time

me, at = os.getpid(), time.monotonic() + 0.3
for n in range(8):
    if os.fork() == 0:
        while time.monotonic() < at:
            pass
        os.kill(me, signal.SIGKILL if n % 2 else signal.SIGTERM)
        os._exit(n)


def end(n):
    time.sleep(max(0, at - time.monotonic()))
    os._exit(n)


for n in range(20):
    threading.Thread(target=end, args=(n,)).start()
time.sleep(5)
