# SPDX-License-Identifier: MIT
"""Writable and executable memory is allowed; what runs there is under the same filter."""
# limits: timeout=10
# outside: fails
# expect: status success
# expect: stdout ~ ^held unshare
import ctypes
import mmap


def unshare_by_code():
    code = b"\x48\xc7\xc0\x10\x01\x00\x00\x48\xc7\xc7\x00\x00\x00\x10\x0f\x05\xc3"  # mov rax,272; mov rdi,NEWUSER; syscall; ret
    m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    m.write(code)
    function = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
    return 42 if function() >= 0 else 0


try:
    code = in_child(unshare_by_code)
    check("unshare", code != 42, code)
except OSError as error:
    held("unshare", error)
