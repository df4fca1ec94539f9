# SPDX-License-Identifier: MIT
"""A harmless run after each hostile one: the service still works, and the new
box shows nothing of the one before."""
from . import program as programs

WANT = "canary 4950 []"
CANARY = programs.Program("canary", '''
import os, sys
wrong = []
for folder, want in (("/box", ["main.py"]), ("/tmp", []), ("/dev/shm", []), ("/home/cuvette", [])):
    if (got := [n for n in os.listdir(folder) if n not in ("requirements.txt", "__pycache__")]) != want:
        wrong.append((folder, got[:3]))
pids = {int(n) for n in os.listdir("/proc") if n.isdigit()}
if not pids <= {1, os.getpid()}:
    wrong.append(("processes", sorted(pids)))
for name, most in (("unix", 0), ("tcp", 0), ("tcp6", 0), ("udp", 0), ("raw", 0), ("igmp", 9)):
    try:
        rows = open("/proc/self/net/" + name).read().splitlines()[1:]
    except OSError:
        continue
    rows = [row for row in rows if name != "unix" or "@" in row]
    if len(rows) > most:
        wrong.append((name, rows[:3]))
try:
    counted = [line.split()[1:4] for line in open("/proc/self/net/dev") if line.strip().startswith("lo:")]
    if counted not in ([], [["0", "0", "0"]]):
        wrong.append(("loopback", counted))
except OSError:
    pass
if sys.stdin.read():
    wrong.append("stdin")
# A run may be forked from a process that earlier ones were forked from too.
import builtins, gc, signal, threading
if [n for n in (*vars(builtins), *vars(sys), *sys.modules, *os.environ) if "cuvette_escape" in n.lower()]:
    wrong.append("names of an earlier run")
if not all(type(f).__name__ in ("builtin_function_or_method", "type") for f in (print, open, len, __import__, __build_class__)):
    wrong.append("builtins")
if threading.active_count() != 1 or gc.callbacks or sys.gettrace() or sys.getprofile():
    wrong.append("threads or hooks")
handlers = {n for n in range(1, signal.NSIG) if signal.getsignal(n) not in (signal.SIG_DFL, None)}
if not handlers <= {signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ} or signal.pthread_sigmask(signal.SIG_BLOCK, []):
    wrong.append(("signals", handlers))
if 7 + int("1") != 8 or [n for n in os.listdir("/proc/self/fd") if int(n) > 4]:
    wrong.append("numbers or descriptors")
print("canary", sum(range(100)), wrong)
''', limits={"timeout": "60"})


def wrong(send) -> list:
    observed = send(CANARY, [])
    if observed.trouble:
        return ["canary: " + observed.trouble]
    if observed.status != "success" or observed.stdout.strip() != WANT or observed.stderr:
        kind = programs.Late if observed.status == "timeout" else str
        return [kind(f"canary: {observed.status} {observed.stdout[:300]}{observed.stderr[-300:]}")]
    return []
