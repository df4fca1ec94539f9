# SPDX-License-Identifier: MIT
"""Everything that is a process's own: limits, mask, priority, name, folder, words of
prctl and of the environment."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^changed
import ctypes
import resource

for number in range(16):
    try:
        soft, hard = resource.getrlimit(number)
        resource.setrlimit(number, (min(soft, 1000) if soft >= 0 else 1000, hard))
    except (OSError, ValueError):
        pass
os.umask(0o777)
before = os.nice(0)
os.nice(5)
os.environ["CUVETTE_ESCAPE"] = os.environ["LD_PRELOAD"] = "/tmp/cuvette-escape.so"
os.environ["PYTHONPATH"] = "/tmp/cuvette-escape"
os.chdir("/tmp")
try:
    os.sched_setaffinity(0, {0})
except OSError:
    pass
for option, value in ((15, ctypes.create_string_buffer(b"escape")), (29, 50_000_000), (41, 1), (36, 1), (1, 9), (4, 0)):
    syscall(157, option, value, 0, 0, 0)  # name, timer slack, huge pages, subreaper, parent's death, dumpable
try:
    with open("/proc/self/oom_score_adj", "w") as f:
        f.write("1000")
except OSError:
    pass
os.write(1, b"changed %d\n" % before)
# ---- the next run
# args: {output}
import resource

check("name", b"escape" not in read("/proc/self/comm"))
check("environment", not [k for k in os.environ if k in ("CUVETTE_ESCAPE", "LD_PRELOAD", "PYTHONPATH")])
mask = os.umask(0)
check("mask", mask == 0o022, oct(mask))
check("folder", os.getcwd() == "/box")
check("priority", os.nice(0) == int(sys.argv[1].split()[1]) and int(read("/proc/self/oom_score_adj") or 0) < 1000, os.nice(0))
check("processors", len(os.sched_getaffinity(0)) == os.cpu_count() or os.cpu_count() == 1)
check("files", resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 64)
check("timer slack", syscall(157, 30)[0] == 50000)
check("subreaper", syscall(157, 37, (b := __import__("ctypes").c_int(7)) and __import__("ctypes").byref(b))[0] != 0 or b.value == 0)
