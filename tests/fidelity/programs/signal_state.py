# sandbox: no capability can be had, by nothing that is executed
# sandbox lines: ^(CapBnd|NoNewPrivs):
import signal
import sys

for s in sorted(signal.valid_signals()):
    handler = signal.getsignal(s)
    if handler != signal.SIG_DFL:
        print(s, handler)
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.sigpending(), signal.getitimer(signal.ITIMER_REAL))
for line in open("/proc/self/status"):
    if line.startswith(("SigBlk", "SigIgn", "SigCgt", "ShdPnd", "NoNewPrivs", "Cap", "Uid", "Gid", "Groups", "Name", "Umask")):
        print(line, end="")
