# SPDX-License-Identifier: MIT
"""Forks on and on over the end of its time: the last to be born must die too."""
# limits: timeout=1 processes=64
# expect: status timeout
while True:
    try:
        if os.fork():
            os._exit(0) if os.getpid() % 7 == 1 and os.getppid() != 0 and os.getpid() > 50 else None
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    except OSError:
        pass
