# SPDX-License-Identifier: MIT
"""Puts a filter of its own before the one that is there: it can only add."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^held unshare
import ctypes
import struct

rules = struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000)  # allow everything
text = ctypes.create_string_buffer(rules, len(rules))
program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 1, ctypes.addressof(text)))
for flags in (0, 1, 2, 4, 8, 16):
    result, error = syscall(317, 1, flags, program)
    print("filter with", flags, result, error)
    if flags == 8 and result >= 0:
        break  # a listener would be asked for every call from here on
for name, number, words in (("unshare", 272, (0x10000000,)), ("setns", 308, (0, 0)), ("mount", 165, (0, 0, 0, 0, 0)),
                            ("ptrace", 101, (0, 0, 0, 0)), ("bpf", 321, (0, 0, 0)), ("keyctl", 250, (0, 0, 0, 0, 0))):
    refused(name, number, *words)
result, error = syscall(157, 22, 0, 0, 0, 0)  # PR_SET_SECCOMP, off
check("off", result == -1)
check("mode", status_field(read("/proc/self/status").decode(), "Seccomp") == "2")
