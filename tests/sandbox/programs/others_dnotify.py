# SPDX-License-Identifier: MIT
"""The older way to watch a folder: a signal for each use of a file in it."""
# with: victim
# args: {secret}
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held watch
import fcntl
import time

hits = []
for number in (signal.SIGIO, signal.SIGRTMIN + 1):
    signal.signal(number, lambda n, frame: hits.append(n))
fd = os.open(os.path.dirname(os.__file__), os.O_RDONLY | os.O_DIRECTORY)
try:
    fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGRTMIN + 1)
    fcntl.fcntl(fd, fcntl.F_NOTIFY, fcntl.DN_ACCESS | fcntl.DN_MULTISHOT)
except OSError as error:
    held("watch", error)
    sys.exit()
until = time.monotonic() + 2
while time.monotonic() < until:
    time.sleep(0.1)
check("watch", not hits, f"{len(hits)} signals")
