"""Fails in the ways programs fail; each is told apart in the answer's `status`.

    cuvette run main.py exception | exit | signal | sleep | memory | output
"""
import os
import signal
import sys
import time

how = sys.argv[1] if len(sys.argv) > 1 else "exception"
print(f"about to fail: {how}", flush=True)
if how == "exit":
    sys.exit(3)
elif how == "signal":
    os.kill(os.getpid(), signal.SIGSEGV)
elif how == "sleep":
    time.sleep(3600)
elif how == "memory":
    hoard = []
    while True:
        hoard.append(bytearray(1 << 24))
elif how == "output":
    while True:
        print("x" * 1000)
else:
    {}["no such key"]
