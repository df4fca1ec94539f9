/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/seccomp.h"

#include "lib/base/buf.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILTER_BYTES_MAX (4096 * sizeof(struct sock_filter)) /* the kernel's own limit */
#define X32_BIT 0x40000000u
#define PERSONALITY_ASK 0xffffffffu
#define IPPROTO_UDP_NUMBER 17
#define SOCK_TYPE_BITS 0xfu  /* the rest of socket()'s second argument are flags */
#define CMD_BITS 0xffffffffu /* ioctl's command is 32 bits wide for the kernel */

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "the system call filter knows x86-64 and aarch64"
#endif

static void scmp_releasep(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

/* One comparison of a call's argument; b only for MASKED_EQ, where a is the mask. */
static struct scmp_arg_cmp arg(unsigned index, enum scmp_compare op, scmp_datum_t a, scmp_datum_t b)
{
	return (struct scmp_arg_cmp){.arg = index, .op = op, .datum_a = a, .datum_b = b};
}

static int deny_table(scmp_filter_ctx ctx)
{
	size_t i, n;
	const struct cuv_seccomp_denied *d = cuv_seccomp_table(&n);

	for (i = 0; i < n; i++) {
		int r;

		if (d[i].nr == __NR_personality)
			r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(d[i].error), d[i].nr, 1,
					     arg(0, SCMP_CMP_NE, PERSONALITY_ASK, 0));
		else
			r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(d[i].error), d[i].nr, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

/* clone is needed for threads and fork; new namespaces are not. CLONE_PARENT
 * would make children of the box's init's parent, which waits for other things. */
static int deny_clone_flags(scmp_filter_ctx ctx)
{
	static const scmp_datum_t flags[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,	  CLONE_NEWUSER,
					     CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_PARENT};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), __NR_clone, 1,
					 arg(0, SCMP_CMP_MASKED_EQ, flags[i], flags[i]));

		if (r < 0)
			return r;
	}
	return 0;
}

/* Watching files: the image's are one inode for all boxes, so a directory notice
 * or a lease would tell of other runs' imports. */
static int deny_fcntls(scmp_filter_ctx ctx)
{
	static const scmp_datum_t commands[] = {F_NOTIFY, F_SETLEASE};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), __NR_fcntl, 1,
					 arg(1, SCMP_CMP_MASKED_EQ, CMD_BITS, commands[i]));

		if (r < 0)
			return r;
	}
	return 0;
}

/* The core limit stays at 1 (rlimits.c): setting it looks done and does nothing,
 * because programs that switch core files off would take an error for a failure. */
static int keep_core_limit(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(0), __NR_setrlimit, 1,
				 arg(0, SCMP_CMP_MASKED_EQ, CMD_BITS, RLIMIT_CORE));

	if (r < 0)
		return r;
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(0), __NR_prlimit64, 2,
				arg(1, SCMP_CMP_MASKED_EQ, CMD_BITS, RLIMIT_CORE), arg(2, SCMP_CMP_NE, 0, 0));
}

/* What would write the host's disks back; a box has none to lose. */
static int idle_syncs(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(0), __NR_sync, 0);

	return r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(0), __NR_syncfs, 0);
}

/* Characters typed into a terminal from below it: there is none in the box, and
 * should one ever get in, this stays closed. */
static int deny_ioctls(scmp_filter_ctx ctx)
{
	static const scmp_datum_t commands[] = {TIOCSTI, TIOCLINUX};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), __NR_ioctl, 1,
					 arg(1, SCMP_CMP_MASKED_EQ, CMD_BITS, commands[i]));

		if (r < 0)
			return r;
	}
	return 0;
}

/* Sockets: Unix, and TCP and UDP over the box's own loopback. Everything else
 * (netlink, packet, vsock, alg, …, and SCTP, MPTCP, …) is only attack surface,
 * and asking for it makes the host's kernel load modules. The comparisons are
 * over 64 bits: odd upper bits, which the kernel ignores, count as unknown. */
static int deny_sockets(scmp_filter_ctx ctx)
{
	static const int families[] = {AF_INET, AF_INET6};
	static const scmp_datum_t types[] = {SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET, SOCK_DCCP, SOCK_PACKET};
	const uint32_t no_family = SCMP_ACT_ERRNO(EAFNOSUPPORT);
	size_t i, j;
	int r, family;

	for (family = 0; family < AF_INET6; family++) {
		if (family == AF_UNIX || family == AF_INET)
			continue;
		r = seccomp_rule_add(ctx, no_family, __NR_socket, 1, arg(0, SCMP_CMP_EQ, (scmp_datum_t)family, 0));
		if (r < 0)
			return r;
	}
	r = seccomp_rule_add(ctx, no_family, __NR_socket, 1, arg(0, SCMP_CMP_GT, AF_INET6, 0));
	if (r < 0)
		return r;
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		const scmp_datum_t f = (scmp_datum_t)families[i];

		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPROTONOSUPPORT), __NR_socket, 2, arg(0, SCMP_CMP_EQ, f, 0),
				     arg(2, SCMP_CMP_GT, IPPROTO_UDP_NUMBER, 0));
		for (j = 0; r == 0 && j < ARRAY_SIZE(types); j++)
			r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), __NR_socket, 2, arg(0, SCMP_CMP_EQ, f, 0),
					     arg(1, SCMP_CMP_MASKED_EQ, SOCK_TYPE_BITS, types[j]));
		if (r < 0)
			return r;
	}
	return seccomp_rule_add(ctx, no_family, __NR_socketpair, 1, arg(0, SCMP_CMP_NE, AF_UNIX, 0));
}

/* libseccomp allows what it doesn't name, so calls of later kernels would be
 * open. These few instructions go before its program: a number above the last
 * one that was judged gives ENOSYS, which is what an older kernel says. Foreign
 * architectures (and x32) go on to libseccomp's own check, which kills. */
static const struct sock_filter newer_calls[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 0, 4),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, CUV_SECCOMP_KNOWN_MAX, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
};

static int export_filter(scmp_filter_ctx ctx, struct cuv_seccomp *ret)
{
	_cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(FILTER_BYTES_MAX);
	size_t len;
	int r;

	if (fd < 0)
		return -errno;
	r = cuv_buf_add(&b, newer_calls, sizeof(newer_calls));
	if (r == 0)
		r = seccomp_export_bpf(ctx, fd);
	if (r == 0)
		r = cuv_pread_all(fd, &b);
	if (r < 0)
		return r;
	cuv_assert(b.len % sizeof(struct sock_filter) == 0);
	ret->filter = (struct sock_filter *)(void *)cuv_buf_take(&b, &len);
	ret->n = (uint16_t)(len / sizeof(struct sock_filter));
	return 0;
}

int cuv_seccomp_build(struct cuv_seccomp *ret, struct cuv_error *err)
{
	_cleanup_(scmp_releasep) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? 0 : -ENOMEM;

	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a search tree, not a list */
	if (r == 0)
		r = deny_table(ctx);
	if (r == 0)
		r = deny_clone_flags(ctx);
	if (r == 0)
		r = deny_ioctls(ctx);
	if (r == 0)
		r = deny_fcntls(ctx);
	if (r == 0)
		r = keep_core_limit(ctx);
	if (r == 0)
		r = idle_syncs(ctx);
	if (r == 0)
		r = deny_sockets(ctx);
	if (r == 0)
		r = export_filter(ctx, ret);
	if (r < 0)
		cuv_error_set(err, CUV_E_UNAVAILABLE, "the system call filter could not be built: %s", strerror(-r));
	return r;
}

void cuv_seccomp_done(struct cuv_seccomp *s)
{
	free(s->filter);
	*s = CUV_SECCOMP_INIT;
}

int cuv_seccomp_load(const struct cuv_seccomp *s)
{
	struct sock_fprog prog = {.len = s->n, .filter = s->filter};

	cuv_assert(s->n > 0);
	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}
