# SPDX-License-Identifier: MIT
"""Deaf to all signals, all of them blocked, timers set, an alternate stack."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^deaf
import faulthandler

for number in range(1, signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.1, 0.1)
faulthandler.enable()
faulthandler.dump_traceback_later(1, repeat=True)
if os.fork() == 0:
    os.setsid()
    while True:
        signal.pause()
print("deaf", flush=True)
os._exit(0)
# ---- the next run
import time

text = read("/proc/self/status").decode()
check("blocked", int(status_field(text, "SigBlk"), 16) == 0, status_field(text, "SigBlk"))
ignored = int(status_field(text, "SigIgn"), 16)
check("ignored", ignored & ~(1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)) == 0, hex(ignored))
check("pending", int(status_field(text, "SigPnd"), 16) | int(status_field(text, "ShdPnd"), 16) == 0)
check("timers", signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0) and signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0))
time.sleep(0.4)
held("not hit")
