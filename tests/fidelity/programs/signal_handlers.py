import os
import signal
import time

seen = []
for s in (signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
    signal.signal(s, lambda n, f: seen.append((signal.Signals(n).name, f.f_code.co_name)))
for s in (signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP):
    os.kill(os.getpid(), s)
signal.setitimer(signal.ITIMER_REAL, 0.02)
time.sleep(0.1)
print(seen)
print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGPIPE), signal.getsignal(signal.SIGXFSZ))
signal.signal(signal.SIGUSR2, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGUSR2)
