# SPDX-License-Identifier: MIT
"""Calls that no program here needs: requests of which the host has one number, pages
kept past a fork, idle processors beside one's own, filters that ask a listener."""
# limits: timeout=10
# outside: fails
# expect: status success
# expect: stdout ~ ^held io_setup
# expect: stdout ~ ^held listener
import ctypes

context = ctypes.c_ulong(0)
refused("io_setup", 206, 65536, ctypes.byref(context))
refused("io_submit", 209, context.value, 0, 0)
refused("io_getevents", 208, context.value, 0, 0, 0, 0)
refused("io_pgetevents", 333, context.value, 0, 0, 0, 0, 0)
refused("io_cancel", 210, context.value, 0, 0)
refused("io_destroy", 207, context.value)
r, w = os.pipe()
page = ctypes.create_string_buffer(4096)
vector = (ctypes.c_uint64 * 2)(ctypes.addressof(page), 4096)
refused("vmsplice", 278, w, ctypes.byref(vector), 1, 8)
refused("remap_file_pages", 216, ctypes.addressof(page) & ~4095, 4096, 0, 0, 0)
result, error = syscall(157, 62, 1, 0, 0, 0)  # prctl(PR_SCHED_CORE, create)
check("core scheduling", result == -1 and error == errno.EINVAL, error)
allow = (ctypes.c_uint64 * 1)(0x7FFF000000000006)  # BPF: return "allow"
program = (ctypes.c_uint64 * 2)(1, ctypes.addressof(allow))
for flags in (8, 8 | 1, 8 | 16):  # SECCOMP_FILTER_FLAG_NEW_LISTENER, and with others
    result, error = syscall(317, 1, flags, ctypes.byref(program))
    check("listener" if flags == 8 else f"listener {flags}", result == -1 and error == errno.EINVAL, f"{result} {error}")
result, error = syscall(317, 1, 0, ctypes.byref(program))
print("a filter of its own:", result, error)
for family in (2, 10):
    for kind, protocol in ((2, 1), (1, 6 | 1 << 32), (1, 132), (1, 262), (2, 136), (3, 1), (3, 255)):
        result, error = syscall(41, family, kind, protocol)
        check(f"socket {family} {kind} {protocol}", result == -1 and error in (errno.EPERM, errno.EPROTONOSUPPORT), f"{result} {error}")
# Advice that would drop a page of the image from memory, for every other run too.
fd = os.open(os.__file__, os.O_RDONLY)
os.pread(fd, 4096, 0)
try:
    os.preadv(fd, [bytearray(4096)], 0, os.RWF_NOWAIT)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.preadv(fd, [bytearray(4096)], 0, os.RWF_NOWAIT)
    held("fadvise")
except BlockingIOError:
    hole("fadvise", "the page is gone")
except OSError as error:
    held("fadvise", f"this file system does not tell: {error}")
