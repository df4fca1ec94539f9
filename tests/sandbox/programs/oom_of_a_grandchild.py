# SPDX-License-Identifier: MIT
"""A grandchild in a session of its own takes the memory and is made the first to
die, so that its death may go unseen."""
# needs: cgroup-memory
# limits: timeout=20 memory=96MiB
# expect: status out-of-memory
# expect: memory < 112MiB
r, w = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        with open("/proc/self/oom_score_adj", "w") as f:
            f.write("1000")
    except OSError:
        pass
    kept = []
    while True:
        kept.append(bytearray(2 << 20))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.close(w)
os.read(r, 1)  # until nobody has the other end
os._exit(0)
