/* SPDX-License-Identifier: MIT */
/*
 * The system calls that are left to the manager: an allow-list, EPERM for the
 * rest. What needs a closer look is limited by its arguments: no memory becomes
 * executable, sockets come in Unix pairs only, and the one signal that can be
 * sent is abort() to itself.
 */
#include "manager/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static const int plain[] = {
	/* descriptors: ours, accepted, and those of sessions */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	/* the database, whose files are open */
	SCMP_SYS(pwrite64),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(memfd_create),
	/* clients and sessions */
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(shutdown),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	/* memory */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* threads that are there, time, randomness, the end */
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
#if defined(__SANITIZE_ADDRESS__)
	/* AddressSanitizer's reports */
	SCMP_SYS(sigaltstack),
	SCMP_SYS(sched_getaffinity),
#endif
};

static const int fcntl_commands[] = {F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_ADD_SEALS, F_SETLK, F_GETLK};

static const struct {
	int level;
	int name;
} socket_options[] = {
	{SOL_SOCKET, SO_KEEPALIVE},
	{SOL_SOCKET, SO_LINGER},
	{IPPROTO_TCP, TCP_NODELAY},
};

/* Allows a call when argument number arg, masked, equals value. */
static int allow_if(scmp_filter_ctx ctx, int call, unsigned arg, scmp_datum_t mask, scmp_datum_t value)
{
	struct scmp_arg_cmp cmp = {.arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &cmp);
}

static int allow_if_both(scmp_filter_ctx ctx, int call, unsigned arg_a, scmp_datum_t a, unsigned arg_b, scmp_datum_t b)
{
	struct scmp_arg_cmp cmp[] = {{.arg = arg_a, .op = SCMP_CMP_EQ, .datum_a = a},
				     {.arg = arg_b, .op = SCMP_CMP_EQ, .datum_a = b}};

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, ARRAY_SIZE(cmp), cmp);
}

#define ALL_BITS UINT64_MAX

static int allow_limited(scmp_filter_ctx ctx)
{
	int r = allow_if(ctx, SCMP_SYS(mmap), 2, PROT_EXEC, 0);

	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
	/* MSG_FASTOPEN is a connect: on the listening socket, after a shutdown. */
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(sendto), 3, MSG_FASTOPEN, 0);
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(sendmsg), 2, MSG_FASTOPEN, 0);
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(socketpair), 0, ALL_BITS, AF_UNIX);
	if (r == 0)
		r = allow_if_both(ctx, SCMP_SYS(tgkill), 0, (scmp_datum_t)getpid(), 2, SIGABRT);
	return r;
}

static int add_rules(scmp_filter_ctx ctx)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < ARRAY_SIZE(plain); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, plain[i], 0);
	for (i = 0; r == 0 && i < ARRAY_SIZE(fcntl_commands); i++)
		r = allow_if(ctx, SCMP_SYS(fcntl), 1, ALL_BITS, (scmp_datum_t)fcntl_commands[i]);
	for (i = 0; r == 0 && i < ARRAY_SIZE(socket_options); i++)
		r = allow_if_both(ctx, SCMP_SYS(setsockopt), 1, (scmp_datum_t)socket_options[i].level, 2,
				  (scmp_datum_t)socket_options[i].name);
	return r == 0 ? allow_limited(ctx) : r;
}

int cuv_seal_filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return -ENOMEM;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = add_rules(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}
