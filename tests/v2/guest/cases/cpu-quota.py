# SPDX-License-Identifier: MIT
# Two processes that want all there is, for four seconds by the clock.
import os
import time

child = os.fork()
until = time.monotonic() + 4
while time.monotonic() < until:
    pass
if child:
    os.wait()
    print("burnt", flush=True)
