# SPDX-License-Identifier: MIT
"""isolate: AF_VSOCK reaches the machine's host, by a call, a pair or io_uring."""
# limits: timeout=15
# outside: fails
# expect: status success
# expect: stdout ~ ^held vsock
for kind in (1, 2, 5):
    for family, name in ((40, "vsock"), (38, "alg"), (16, "netlink"), (17, "packet"), (44, "xdp"), (31, "bluetooth"), (30, "tipc"), (41, "kcm")):
        result, error = syscall(41, family, kind, 0)
        # The filter's own answers; netlink has one that libzmq can live with.
        check(f"{name} {kind}", result == -1 and error == (95 if family == 16 else 97), error)
        result, error = syscall(41, (1 << 32) | family, kind, 0)
        check(f"{name} {kind} high", result == -1, error)
refused("io_uring", 425, 8, 0)
refused("io_uring_enter", 426, 0, 0, 0, 0, 0, 0)
refused("io_uring_register", 427, 0, 0, 0, 0)
