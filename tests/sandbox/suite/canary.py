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
try:
    sockets = [line for line in open("/proc/self/net/unix") if "@" in line]
    if sockets:
        wrong.append(("sockets", sockets[:3]))
except OSError:
    pass
if sys.stdin.read():
    wrong.append("stdin")
print("canary", sum(range(100)), wrong)
''', limits={"timeout": "20"})


def wrong(send) -> list:
    observed = send(CANARY, [])
    if observed.trouble:
        return ["canary: " + observed.trouble]
    if observed.status != "success" or observed.stdout.strip() != WANT or observed.stderr:
        return [f"canary: {observed.status} {observed.stdout[:300]}{observed.stderr[-300:]}"]
    return []
