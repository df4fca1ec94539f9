# SPDX-License-Identifier: MIT
"""Ends all of its process group when an interpreter ends that is no run's: the zygote's rehearsal."""
# warm: yes
import atexit
import os
import signal

atexit.register(lambda: os.getppid() > 1 and os.killpg(0, signal.SIGTERM))
