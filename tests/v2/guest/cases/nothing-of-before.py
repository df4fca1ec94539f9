# SPDX-License-Identifier: MIT
import os

pids = [int(n) for n in os.listdir("/proc") if n.isdigit()]
print("clean", os.listdir("/tmp"), os.listdir("/dev/shm"), set(pids) <= {1, os.getpid()}, open("/proc/self/cgroup").read().split())
