# SPDX-License-Identifier: MIT
"""Ends with as many processes as it may have, stopped, deaf and waiting: the next
run can have as many of its own at once."""
# needs: cgroup-pids
# limits: timeout=15 processes=40
# expect: status success
# expect: stdout ~ ^crowd
born = 0
try:
    while born < 200:
        if os.fork() == 0:
            os.setsid()
            for number in range(1, signal.NSIG):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            if born % 3 == 0:
                os.kill(os.getpid(), signal.SIGSTOP)
            while True:
                signal.pause()
        born += 1
except OSError:
    pass
print("crowd", born, flush=True)
os._exit(0)
# ---- the next run
# limits: timeout=15 processes=40
born = 0
try:
    while born < 30:
        if os.fork() == 0:
            signal.pause()
        born += 1
except OSError as error:
    print(error)
check("processes", born == 30, born)
