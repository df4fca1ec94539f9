# environment: packages
import os
import signal
import sys
import threading
import warnings

print(os.getcwd(), os.environ.get("CHANGED"), signal.getsignal(signal.SIGUSR1), sys.getrecursionlimit(), sys.path)
print(threading.active_count(), sorted(os.listdir("/proc/self/fd")), oct(os.umask(0o22)), sys.excepthook, sys.argv)
print(len(warnings.filters))
