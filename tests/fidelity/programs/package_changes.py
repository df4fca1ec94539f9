# environment: packages
import os
import signal
import sys

import changes

print(os.getcwd(), os.environ["CHANGED"], signal.getsignal(signal.SIGUSR1), sys.getrecursionlimit(), oct(os.umask(0o22)), sys.path[-1])
