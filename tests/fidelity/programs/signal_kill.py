import os
import signal
import sys

print("kept")
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
