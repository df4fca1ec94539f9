/* SPDX-License-Identifier: MIT */
/*
 * The calls that are allowed but for some arguments. A call's rules stand
 * together; it is denied by the first that holds.
 */
#include "worker-image/launcher/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define NAMESPACES                                                                                                     \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)
#define PERSONALITY_ASK 0xffffffffu
#define SOCK_TYPE_BITS 0xfu /* the rest of socket()'s second argument are flags */
#define DONE 0
#define FLOWLABEL_MGR 32 /* IPV6_, of linux/in6.h, which does not go with netinet/in.h */

#define RULE(call, errno_) .nr = __NR_##call, .name = #call, .error = (errno_)
#define LOW_IS(n, v)                                                                                                   \
	{                                                                                                              \
		.op = CUV_ARG_LOW_IS, .arg = (n), .value = (v)                                                         \
	}
#define LOW_HAS(n, v)                                                                                                  \
	{                                                                                                              \
		.op = CUV_ARG_LOW_HAS, .arg = (n), .value = (v)                                                        \
	}
#define LOW_BITS_NOT(n, m, v)                                                                                          \
	{                                                                                                              \
		.op = CUV_ARG_LOW_BITS_NOT, .arg = (n), .value = (v), .mask = (m)                                      \
	}
#define IS_NOT(n, v)                                                                                                   \
	{                                                                                                              \
		.op = CUV_ARG_IS_NOT, .arg = (n), .value = (v)                                                         \
	}

static const struct cuv_seccomp_check checks[] = {
	{RULE(clone, EPERM), .why = "threads and fork need it; new namespaces would be capabilities",
	 .when = {LOW_HAS(0, NAMESPACES)}},
	{RULE(clone, EPERM), .zygote = true, .why = "children of the parent, which is ours and waits for other things",
	 .when = {LOW_HAS(0, CLONE_PARENT)}},

	{RULE(ioctl, EPERM), .why = "types into a terminal from below it", .when = {LOW_IS(1, TIOCSTI)}},
	{RULE(ioctl, EPERM), .why = "types into a console from below it", .when = {LOW_IS(1, TIOCLINUX)}},

	{RULE(fcntl, EPERM), .why = "notices about files that other runs use", .when = {LOW_IS(1, F_NOTIFY)}},
	{RULE(fcntl, EPERM), .why = "leases on files that other runs use", .when = {LOW_IS(1, F_SETLEASE)}},

	/* As a file system without it answers. */
	{RULE(fcntl, EINVAL),
	 .why = "reads of the image past memory, on the host's disk each time; a stream in packets of a byte",
	 .when = {LOW_IS(1, F_SETFL), LOW_HAS(2, O_DIRECT)}},
	{RULE(openat, EINVAL), .why = "likewise", .when = {LOW_HAS(2, O_DIRECT)}},
#ifdef __NR_open
	{RULE(open, EINVAL), .why = "likewise", .when = {LOW_HAS(1, O_DIRECT)}},
#endif

	{RULE(fadvise64, DONE), .why = "drops the image's pages from memory for every run; advice need not be taken",
	 .when = {LOW_IS(3, POSIX_FADV_DONTNEED)}},

	{RULE(setrlimit, DONE),
	 .why = "the core limit stays at 1 (rlimits.c), and switching core files off must not fail",
	 .when = {LOW_IS(0, RLIMIT_CORE)}},
	{RULE(prlimit64, DONE), .why = "likewise", .when = {LOW_IS(1, RLIMIT_CORE), IS_NOT(2, 0)}},

	{RULE(personality, EPERM), .why = "turns off address randomisation; asking is allowed",
	 .when = {IS_NOT(0, PERSONALITY_ASK)}},

	{RULE(prctl, EINVAL), .why = "core scheduling makes the host leave processors idle beside this one",
	 .when = {LOW_IS(0, PR_SCHED_CORE)}},
	{RULE(prctl, EINVAL), .why = "the older way to a filter of its own (seccomp)",
	 .when = {LOW_IS(0, PR_SET_SECCOMP), LOW_IS(1, SECCOMP_MODE_FILTER)}},

	/* Filters and sockets' filters are compiled into memory of which the whole machine has one small pool,
	 * charged to nobody: who fills it keeps every box from being sealed. A zygote's child loads one. */
	{RULE(seccomp, EINVAL), .zygote = true, .why = "a filter of its own, in the machine's memory for compiled ones",
	 .when = {LOW_IS(0, SECCOMP_SET_MODE_FILTER)}},
	{RULE(seccomp, EINVAL), .why = "a filter that asks another process",
	 .when = {LOW_IS(0, SECCOMP_SET_MODE_FILTER), LOW_HAS(1, SECCOMP_FILTER_FLAG_NEW_LISTENER)}},
	{RULE(setsockopt, EPERM), .why = "a filter, in the machine's memory for compiled ones",
	 .when = {LOW_IS(1, SOL_SOCKET), LOW_IS(2, SO_ATTACH_FILTER)}},
	{RULE(setsockopt, EPERM), .why = "likewise", .when = {LOW_IS(1, SOL_SOCKET), LOW_IS(2, SO_ATTACH_BPF)}},
	{RULE(setsockopt, EPERM), .why = "likewise",
	 .when = {LOW_IS(1, SOL_SOCKET), LOW_IS(2, SO_ATTACH_REUSEPORT_CBPF)}},
	{RULE(setsockopt, EPERM), .why = "likewise",
	 .when = {LOW_IS(1, SOL_SOCKET), LOW_IS(2, SO_ATTACH_REUSEPORT_EBPF)}},
	{RULE(setsockopt, EPERM), .why = "IPv6 flow labels outlive their socket, and can carry words to the next run",
	 .when = {LOW_IS(1, IPPROTO_IPV6), LOW_IS(2, FLOWLABEL_MGR)}},

	/* Everything else (netlink, packet, vsock, alg, …, and SCTP, MPTCP, …) is only
	 * attack surface, and asking for it makes the host's kernel load modules. */
	{RULE(socket, EOPNOTSUPP),
	 .why = "routes and interfaces; libzmq goes on without them at this errno, and aborts at others",
	 .when = {LOW_IS(0, AF_NETLINK)}},
	{RULE(socket, EAFNOSUPPORT), .why = "sockets are Unix ones, and IP over the box's own loopback",
	 .when = {IS_NOT(0, AF_UNIX), IS_NOT(0, AF_INET), IS_NOT(0, AF_INET6)}},
	{RULE(socket, EPERM), .why = "IP is streams and datagrams, nothing raw",
	 .when = {IS_NOT(0, AF_UNIX), LOW_BITS_NOT(1, SOCK_TYPE_BITS, SOCK_STREAM),
		  LOW_BITS_NOT(1, SOCK_TYPE_BITS, SOCK_DGRAM)}},
	{RULE(socket, EPROTONOSUPPORT), .why = "streams are TCP, datagrams UDP",
	 .when = {IS_NOT(0, AF_UNIX), IS_NOT(2, 0), IS_NOT(2, IPPROTO_TCP), IS_NOT(2, IPPROTO_UDP)}},

	{RULE(socketpair, EAFNOSUPPORT), .why = "only Unix ones come in pairs", .when = {IS_NOT(0, AF_UNIX)}},
};

const struct cuv_seccomp_check *cuv_seccomp_checks(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(checks);
	return checks;
}
