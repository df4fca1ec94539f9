# SPDX-License-Identifier: MIT
"""The output pipes with other sizes, as packets, by splice, tee and vmsplice, with
pages that change after they were given."""
# limits: timeout=15
# expect: status success
# expect: stdout ~ ^after all
# expect: stdout ~ ^held read
import ctypes
import fcntl

for size in (4096, 1 << 20, 1 << 30):
    try:
        fcntl.fcntl(1, 1031, size)
    except OSError:
        pass
raises("packets", fcntl.fcntl, 1, fcntl.F_SETFL, os.O_WRONLY | os.O_DIRECT, errors=(errno.EINVAL,))
os.write(1, b"a packet\n")
page = ctypes.create_string_buffer(b"given\n" * 600, 4096)
vector = (ctypes.c_uint64 * 2)(ctypes.addressof(page), 3600)
syscall(278, 1, ctypes.byref(vector), 1, 8)
page.value = b"\0" * 600
r, w = os.pipe()
os.write(w, b"teed\n" * 100)
syscall(276, r, 1, 500, 0)
syscall(275, r, 0, 1, 0, 500, 0)
try:
    fd = os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK)
    stolen = os.read(fd, 65536)
    os.close(fd)
    held("read", f"own output only, {len(stolen)}")
except OSError as error:
    held("read", error)
fcntl.fcntl(1, fcntl.F_SETFL, os.O_WRONLY)
for number in (0x5421, 0x541B, 0x5401, 0x5413, 0x5412):
    try:
        fcntl.ioctl(1, number, b"\0" * 64)
    except OSError:
        pass
os.write(1, b"\nafter all\n")
