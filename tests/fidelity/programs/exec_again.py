# args: []
import os
import sys

if len(sys.argv) == 1:
    print("first", flush=True)
    os.execv(sys.executable, [sys.executable, "main.py", "again"])
print(sys.argv)
