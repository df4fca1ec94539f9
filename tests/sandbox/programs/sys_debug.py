# SPDX-License-Identifier: MIT
"""Looking into processes: tracing, foreign memory, counters, programs in the kernel."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held traceme
# expect: stdout ~ ^held bpf
import ctypes
import time

check("traceme", in_child(lambda: 42 if syscall(101, 0, 0, 0, 0)[0] == 0 else 0) != 42)
child = os.fork()
if child == 0:
    time.sleep(5)
    os._exit(0)
for target in (child, 1, os.getppid()):
    refused(f"attach {target}", 101, 16, target, 0, 0)
    refused(f"seize {target}", 101, 0x4206, target, 0, 0)
buffer = ctypes.create_string_buffer(64)
vector = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 64)
for target in (child, os.getpid()):
    refused(f"readv {target}", 310, target, ctypes.byref(vector), 1, ctypes.byref(vector), 1, 0)
    refused(f"writev {target}", 311, target, ctypes.byref(vector), 1, ctypes.byref(vector), 1, 0)
refused("kcmp", 312, os.getpid(), child, 0, 0, 0)
refused("process_madvise", 440, 0, ctypes.byref(vector), 1, 20, 0)
refused("pidfd_getfd", 438, 0, 0, 0)
attributes = (ctypes.c_uint32 * 32)(1, 128, 0)
refused("perf_event_open", 298, ctypes.byref(attributes), 0, -1, -1, 0)
for command in (0, 5, 18):
    refused(f"bpf {command}", 321, command, ctypes.byref(attributes), 72)
refused("userfaultfd", 323, 0)
refused("userfaultfd user", 323, 1)
refused("lookup_dcookie", 212, 0, buffer, 64)
os.kill(child, signal.SIGKILL)
