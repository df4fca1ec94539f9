# SPDX-License-Identifier: MIT
"""Stands before every hostile program: raw system calls and the words in which
a program tells what it found. `held NAME` = the attempt was refused, `HOLE NAME`
= it was not; the suite fails on any HOLE, whatever else the program says."""
import ctypes
import errno
import os
import signal
import sys

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
# What a filter or a missing privilege answers. EINVAL, EFAULT or ESRCH would
# mean that the kernel had begun to look at the arguments.
REFUSALS = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def held(name, why=""):
    print("held", name, why, flush=True)


def hole(name, why=""):
    print("HOLE", name, why, flush=True)


def check(name, good, why=""):
    (held if good else hole)(name, why)


def syscall(number, *arguments):
    """(result, errno) of a raw system call; bytes and buffers go by address."""
    ctypes.set_errno(0)
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = _libc.syscall(ctypes.c_long(number), *converted)
    return result, ctypes.get_errno() if result == -1 else 0


def refused(name, number, *arguments, errors=REFUSALS):
    result, error = syscall(number, *arguments)
    check(name, result == -1 and error in errors, f"result {result} {errno.errorcode.get(error, error)}")


def raises(name, function, *arguments, errors=None):
    """The call must end in an OSError (one of errors, where given)."""
    try:
        result = function(*arguments)
    except OSError as error:
        check(name, errors is None or error.errno in errors, errno.errorcode.get(error.errno, error))
    else:
        hole(name, f"gave {result!r}")


def in_child(function):
    """Status of a child that runs function: exit code, or -signal."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = function() or 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def read(path, size=65536):
    with open(path, "rb") as file:
        return file.read(size)


def status_field(text, field):
    for line in text.splitlines():
        if line.startswith(field + ":"):
            return line.partition(":")[2].strip()
    return None


