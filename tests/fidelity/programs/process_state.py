# sandbox: a run has limits, and is the first to go when the host's memory runs out
# sandbox lines: ^RLIMIT_|^(0|500)$
import os
import resource
import sys

print(os.getcwd(), os.getuid(), os.getgid(), os.getgroups(), os.getpid(), os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid())
print(oct(os.umask(0o22)), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0) == os.sched_getaffinity(1))
print(sorted(os.listdir("/proc/self/fd")), os.listdir("."), os.listdir("/"))
for name in sorted({n for n in dir(resource) if n.startswith("RLIMIT_")} - {"RLIMIT_NPROC", "RLIMIT_SIGPENDING"}):
    print(name, resource.getrlimit(getattr(resource, name)))
print(open("/proc/self/cmdline").read().split("\0"), open("/proc/self/comm").read(), os.uname().nodename)
print(os.listdir("/tmp"), os.listdir("/dev/shm"), os.listdir("/proc/self/task") == [str(os.getpid())])
print(open("/proc/self/oom_score_adj").read(), open("/proc/self/cgroup").read().count("\n") > 0, sys.getdlopenflags())
