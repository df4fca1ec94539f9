# SPDX-License-Identifier: MIT
"""Watches files of the image that all runs share: what others import would be seen."""
# with: victim
# args: {secret}
# limits: timeout=20
# expect: status success
# expect: stdout ~ ^held watch
import select
import time

folder = os.path.dirname(os.__file__)
fd, error = syscall(294, 0o4000)  # inotify_init1(IN_NONBLOCK)
if fd < 0:
    held("watch", errno.errorcode[error])
    sys.exit()
for path in (folder, folder + "/this.py", sys.prefix, os.path.realpath(sys.executable)):
    syscall(254, fd, path.encode(), 0xFFF)  # inotify_add_watch
until, seen = time.monotonic() + 2, b""
while time.monotonic() < until:
    if select.select([fd], [], [], 0.1)[0]:
        seen += os.read(fd, 65536)
check("watch", not seen, f"{len(seen)} bytes of events {seen[16:60]!r}")
