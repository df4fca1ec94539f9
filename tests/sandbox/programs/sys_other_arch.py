# SPDX-License-Identifier: MIT
"""System calls by the 32-bit gate and by x32 numbers: another table, same kernel."""
# limits: timeout=15
# outside: fails
# expect: status success
# expect: stdout ~ ^held int 0x80
# expect: stdout ~ ^held x32
import ctypes
import mmap


def run(code):
    def body():
        m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        m.write(code)
        function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
        return 42 if function() >= 0 else 7
    return body


# 32-bit getpid (20) and unshare (310): any answer but death means the gate is open.
for name, number, argument in (("int 0x80", 20, 0), ("int 0x80 unshare", 310, 0x10000000)):
    code = b"\x53\xb8" + number.to_bytes(4, "little") + b"\xbb" + argument.to_bytes(4, "little") + b"\xcd\x80\x5b\xc3"
    status = in_child(run(code))
    check(name, status in (-signal.SIGSYS, -signal.SIGSEGV), status)
for name, number, argument in (("x32", 0x40000000 + 39, 0), ("x32 unshare", 0x40000000 + 272, 0x10000000)):
    status = in_child(lambda: 42 if syscall(number, argument)[0] >= 0 else 7)
    check(name, status in (-signal.SIGSYS, 7), status)
