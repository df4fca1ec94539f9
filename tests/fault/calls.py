# SPDX-License-Identifier: MIT
"""Making the launcher's n-th system call of a kind fail (tests/helpers/nthcall.c)."""

import errno
import mmap
import os
import pathlib
import struct

WORDS = 8 + 16
# x86-64's numbers: kind -> (error, calls)
KINDS = {
    "fork": (errno.EAGAIN, {"clone": 56, "fork": 57, "vfork": 58, "clone3": 435}),
    "mount": (errno.ENOMEM, {"fsopen": 430, "fsconfig": 431, "fsmount": 432, "open_tree": 428, "move_mount": 429,
                             "mount_setattr": 442, "umount2": 166, "pivot_root": 155, "mount": 165}),
    "open": (errno.EMFILE, {"open": 2, "openat": 257, "openat2": 437}),
    "write": (errno.EIO, {"write": 1, "pwrite64": 18}),
    "send": (errno.ENOBUFS, {"sendmsg": 46, "sendto": 44}),
    "receive": (errno.ENOMEM, {"recvmsg": 47, "recvfrom": 45}),
    "read": (errno.EIO, {"read": 0, "pread64": 17}),
    "pair": (errno.ENFILE, {"socketpair": 53, "pipe2": 293, "eventfd2": 290, "socket": 41}),
    "namespace": (errno.ENOSPC, {"setns": 308, "unshare": 272}),
    "memory": (errno.ENOMEM, {"mmap": 9, "brk": 12, "mremap": 25}),
    "memfd": (errno.ENOMEM, {"memfd_create": 319}),
    "descriptor": (errno.EMFILE, {"close_range": 436, "dup2": 33, "dup3": 292, "fcntl": 72}),
    "rights": (errno.EPERM, {"prctl": 157, "seccomp": 317, "capset": 126, "setresuid": 117, "setresgid": 119,
                             "setgroups": 116, "prlimit64": 302, "setsid": 112}),
    "signal": (errno.EPERM, {"kill": 62, "pidfd_send_signal": 424, "pidfd_open": 434, "signalfd4": 289}),
    "wait": (errno.EINTR, {"wait4": 61, "waitid": 247}),
    "poll": (errno.ENOMEM, {"poll": 7, "ppoll": 271}),
    "folder": (errno.ENOMEM, {"mkdirat": 258, "mkdir": 83, "unlinkat": 263, "symlinkat": 266, "chdir": 80, "chroot": 161}),
}


class Order:
    """The file that nthcall and we have mapped: struct order there."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        path.write_bytes(bytes(4 * WORDS))
        with open(path, "r+b") as file:
            self.words = mmap.mmap(file.fileno(), 4 * WORDS)

    def _put(self, first: int, *values: int) -> None:
        self.words[4 * first:4 * (first + len(values))] = struct.pack(f"={len(values)}I", *values)

    def _get(self, index: int) -> int:
        return struct.unpack_from("=I", self.words, 4 * index)[0]

    def arm(self, kind: str, nth: int) -> None:
        error, calls = KINDS[kind]
        numbers = list(calls.values())
        self._put(1, 0, 0, 0, nth, error, len(numbers), *numbers)
        self._put(0, 1)

    def disarm(self) -> None:
        self._put(0, 0)

    @property
    def seen(self) -> int:
        return self._get(1)

    @property
    def hit(self) -> str:
        """The call that failed; "" while none has."""
        number = self._get(2) - 1
        return next((name for _, calls in KINDS.values() for name, n in calls.items() if n == number), "")

    def close(self) -> None:
        self.words.close()
        self.path.unlink()


def wrapper(helper: pathlib.Path, order: Order, launcher: pathlib.Path) -> str:
    """A shell script's text that starts the launcher under nthcall."""
    return f'exec "{helper}" "{order.path}" -- "{launcher}" "$@"'


def is_possible() -> str:
    """Why it can't be done here; "" when it can."""
    return "" if os.uname().machine == "x86_64" else "nthcall knows x86-64 only"
