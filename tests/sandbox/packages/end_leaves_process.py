# SPDX-License-Identifier: MIT
"""At its end an interpreter leaves a process behind, the zygote's rehearsal too."""
# warm: yes
import atexit
import os
import time


def leave():
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)


atexit.register(leave)
