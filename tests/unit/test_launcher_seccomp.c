/* SPDX-License-Identifier: MIT */
/* tests/run: not under valgrind (seccomp) */
/* The filter is judged by running its program here, call by call, as the kernel
 * would: what it says is what a run will see. */
#include "tests/unit/unit.h"
#include "worker-image/launcher/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define FOREIGN AUDIT_ARCH_I386
#else
#define NATIVE AUDIT_ARCH_AARCH64
#define FOREIGN AUDIT_ARCH_ARM
#endif
#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))

static struct cuv_seccomp filter;

/* The classic BPF that a seccomp program may consist of. */
static uint32_t judge(const struct seccomp_data *data)
{
	uint32_t a = 0, word;
	size_t at = 0;

	for (;;) {
		const struct sock_filter *i = &filter.filter[at++];

		assert_true(at <= filter.n);
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k % 4 == 0 && i->k + 4 <= sizeof(*data));
			memcpy(&word, (const char *)data + i->k, sizeof(word));
			a = word;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			at += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			at += a > i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			at += a & i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction %#x is not known here", i->code);
		}
	}
}

static uint32_t call(long nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	const struct seccomp_data data = {.nr = (int)nr, .arch = NATIVE, .args = {a0, a1, a2, ~0ull, ~0ull, ~0ull}};

	return judge(&data);
}

TEST(table_is_whole)
{
	size_t i, j, n;
	const struct cuv_seccomp_denied *d = cuv_seccomp_table(&n);

	assert_true(n > 60);
	for (i = 0; i < n; i++) {
		assert_true(d[i].name[0] && d[i].why[0]);
		assert_true(d[i].error == EPERM || d[i].error == ENOSYS);
		assert_in_range(d[i].nr, 0, CUV_SECCOMP_KNOWN_MAX);
		for (j = 0; j < i; j++)
			assert_int_not_equal(d[i].nr, d[j].nr);
	}
}

TEST(denied_calls)
{
	size_t i, n;
	const struct cuv_seccomp_denied *d = cuv_seccomp_table(&n);

	for (i = 0; i < n; i++)
		assert_int_equal(call(d[i].nr, 0, 0, 0), ERRNO(d[i].error));
}

TEST(calls_programs_need)
{
	static const long needed[] = {
		SYS_read,
		SYS_write,
		SYS_openat,
		SYS_close,
		SYS_mmap,
		SYS_munmap,
		SYS_execve,
		SYS_wait4,
		SYS_kill,
		SYS_futex,
		SYS_getrandom,
		SYS_pipe2,
		SYS_epoll_create1,
		SYS_eventfd2,
		SYS_prctl,
		SYS_prlimit64,
		SYS_memfd_create,
		SYS_pidfd_open,
		SYS_sched_getaffinity,
		SYS_bind,
		SYS_connect,
		SYS_sendmsg,
		SYS_fcntl,
		SYS_timerfd_create,
		SYS_rseq,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(needed); i++)
		assert_int_equal(call(needed[i], 0, 0, 0), SECCOMP_RET_ALLOW);
}

TEST(clone_flags)
{
	static const uint64_t denied[] = {CLONE_NEWNS,	CLONE_NEWUTS, CLONE_NEWIPC,    CLONE_NEWUSER,
					  CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_PARENT};
	const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(denied); i++) {
		assert_int_equal(call(SYS_clone, denied[i] | 17, 0, 0), ERRNO(EPERM));
		assert_int_equal(call(SYS_clone, denied[i] | thread | 1ull << 40, 0, 0), ERRNO(EPERM));
	}
	assert_int_equal(call(SYS_clone, 17, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_clone, thread, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_clone, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | 17, 0, 0), SECCOMP_RET_ALLOW);
}

TEST(sockets)
{
	uint64_t f;

	for (f = 0; f < 64; f++)
		if (f != AF_UNIX && f != AF_INET && f != AF_INET6)
			assert_int_equal(call(SYS_socket, f, SOCK_DGRAM, 0), ERRNO(EAFNOSUPPORT));
	/* the kernel takes 32 bits of it; what only looks like a family is none */
	assert_int_equal(call(SYS_socket, (1ull << 32) | AF_INET, SOCK_STREAM, 0), ERRNO(EAFNOSUPPORT));
	assert_int_equal(call(SYS_socket, (1ull << 32) | AF_NETLINK, SOCK_RAW, 0), ERRNO(EAFNOSUPPORT));
	assert_int_equal(call(SYS_socket, AF_UNIX, SOCK_SEQPACKET, 0), SECCOMP_RET_ALLOW);
	for (f = AF_INET; f <= AF_INET6; f += AF_INET6 - AF_INET) {
		assert_int_equal(call(SYS_socket, f, SOCK_STREAM | SOCK_CLOEXEC, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(call(SYS_socket, f, SOCK_DGRAM | SOCK_NONBLOCK, 17), SECCOMP_RET_ALLOW);
		assert_int_equal(call(SYS_socket, f, SOCK_RAW | SOCK_CLOEXEC, 1), ERRNO(EPERM));
		assert_int_equal(call(SYS_socket, f, SOCK_SEQPACKET, 0), ERRNO(EPERM));
		assert_int_equal(call(SYS_socket, f, SOCK_STREAM, 132), ERRNO(EPROTONOSUPPORT));
		assert_int_equal(call(SYS_socket, f, SOCK_STREAM, 262), ERRNO(EPROTONOSUPPORT));
	}
	assert_int_equal(call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_socketpair, 30, SOCK_STREAM, 0), ERRNO(EAFNOSUPPORT));
}

TEST(arguments_of_others)
{
	assert_int_equal(call(SYS_ioctl, 0, TIOCSTI, 0), ERRNO(EPERM));
	assert_int_equal(call(SYS_ioctl, 0, (1ull << 32) | TIOCSTI, 0), ERRNO(EPERM));
	assert_int_equal(call(SYS_ioctl, 0, TIOCLINUX, 0), ERRNO(EPERM));
	assert_int_equal(call(SYS_ioctl, 0, FIONREAD, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_fcntl, 3, F_NOTIFY, 1), ERRNO(EPERM));
	assert_int_equal(call(SYS_fcntl, 3, (1ull << 32) | F_NOTIFY, 1), ERRNO(EPERM));
	assert_int_equal(call(SYS_fcntl, 3, F_SETLEASE, 0), ERRNO(EPERM));
	assert_int_equal(call(SYS_fcntl, 3, F_GETFL, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_setrlimit, RLIMIT_CORE, 1, 0), ERRNO(0));
	assert_int_equal(call(SYS_setrlimit, RLIMIT_NOFILE, 1, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_prlimit64, 0, RLIMIT_CORE, 1), ERRNO(0));
	assert_int_equal(call(SYS_prlimit64, 0, RLIMIT_CORE, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_sync, 0, 0, 0), ERRNO(0));
	assert_int_equal(call(SYS_personality, 0xffffffff, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_personality, 0x40000, 0, 0), ERRNO(EPERM));
	assert_int_equal(call(SYS_personality, 0x1ffffffffull, 0, 0), ERRNO(EPERM));
}

TEST(calls_of_later_kernels)
{
	assert_int_equal(call(CUV_SECCOMP_KNOWN_MAX + 1, 0, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(call(CUV_SECCOMP_KNOWN_MAX, 0, 0, 0), ERRNO(ENOSYS)); /* file_setattr, of the table */
	assert_int_equal(call(0x3fffffff, 0, 0, 0), ERRNO(ENOSYS));
}

TEST(foreign_architectures)
{
	struct seccomp_data data = {.nr = 1, .arch = FOREIGN};

	assert_int_equal(judge(&data), SECCOMP_RET_KILL_PROCESS);
	data.nr = CUV_SECCOMP_KNOWN_MAX + 1;
	assert_int_equal(judge(&data), SECCOMP_RET_KILL_PROCESS);
#if defined(__x86_64__)
	assert_int_equal(call(0x40000000 | SYS_getpid, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_whole),
		cmocka_unit_test(denied_calls),
		cmocka_unit_test(calls_programs_need),
		cmocka_unit_test(clone_flags),
		cmocka_unit_test(sockets),
		cmocka_unit_test(arguments_of_others),
		cmocka_unit_test(calls_of_later_kernels),
		cmocka_unit_test(foreign_architectures),
	};
	struct cuv_error err = CUV_ERROR_INIT;
	int r;

	if (cuv_seccomp_build(&filter, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	r = cmocka_run_group_tests_name("launcher_seccomp", tests, NULL, NULL);
	cuv_seccomp_done(&filter);
	return r;
}
