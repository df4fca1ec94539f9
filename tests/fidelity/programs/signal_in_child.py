import os
import signal
import subprocess
import sys

p = subprocess.run([sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGPIPE)); signal.raise_signal(9)"])
print(p.returncode)
pid = os.fork()
if pid == 0:
    signal.raise_signal(signal.SIGABRT)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
