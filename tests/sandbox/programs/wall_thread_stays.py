# SPDX-License-Identifier: MIT
"""The main thread ends, another never does."""
# limits: timeout=1
# expect: status timeout
# expect: wall < 4
import threading
import time

threading.Thread(target=time.sleep, args=(1000,)).start()
