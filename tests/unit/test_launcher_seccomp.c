/* SPDX-License-Identifier: MIT */
/* tests/run: not under valgrind (seccomp) */
/* The filters are judged by running their programs here, call by call, as the
 * kernel would: what they say is what a run will see. */
#include "tests/unit/unit.h"
#include "worker-image/launcher/seccomp.h"
#include "worker-image/launcher/seccomp_delta.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define FOREIGN AUDIT_ARCH_I386
#else
#define NATIVE AUDIT_ARCH_AARCH64
#define FOREIGN AUDIT_ARCH_ARM
#endif
#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))

static struct cuv_seccomp filter, zygote_filter;

/* The classic BPF that a seccomp program may consist of. */
static uint32_t run_program(const struct sock_filter *program, size_t n, const struct seccomp_data *data,
			    size_t *ret_steps)
{
	uint32_t a = 0, word;
	size_t at = 0;

	for (*ret_steps = 1;; ++*ret_steps) {
		const struct sock_filter *i = &program[at++];

		assert_true(at <= n);
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

static uint32_t judge(const struct seccomp_data *data)
{
	size_t steps;

	return run_program(filter.filter, filter.n, data, &steps);
}

/* Two filters on one process: the answer that denies more, and between two of a
 * kind the one of the filter that was loaded last (seccomp(2)). */
static uint32_t judge_zygotes_run(const struct seccomp_data *data)
{
	size_t n, steps;
	const struct sock_filter *delta = cuv_seccomp_delta(&n);
	const uint32_t last = run_program(delta, n, data, &steps);
	const uint32_t first = run_program(zygote_filter.filter, zygote_filter.n, data, &steps);

	/* Actions are ordered as signed numbers: KILL_PROCESS is the least. */
	return (int32_t)(first & SECCOMP_RET_ACTION_FULL) < (int32_t)(last & SECCOMP_RET_ACTION_FULL) ? first : last;
}

static uint32_t call(long nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	const struct seccomp_data data = {.nr = (int)nr, .arch = NATIVE, .args = {a0, a1, a2, ~0ull, ~0ull, ~0ull}};

	return judge(&data);
}

/* In how many lists a number is; the rules of one call count once. */
static unsigned lists_with(int nr)
{
	size_t i, n;
	const struct cuv_seccomp_call *c = cuv_seccomp_allowed(&n);
	const struct cuv_seccomp_check *rules;
	unsigned found = 0;
	int before = -1;

	for (i = 0; i < n; i++)
		found += c[i].nr == nr;
	c = cuv_seccomp_denied(&n);
	for (i = 0; i < n; i++)
		found += c[i].nr == nr;
	rules = cuv_seccomp_checks(&n);
	for (i = 0; i < n; before = rules[i++].nr)
		found += rules[i].nr == nr && before != nr;
	return found;
}

/* Numbers that no call has: kept free by the kernel between the architectures'
 * own tables and the common one. */
static bool is_gap(int nr)
{
#if defined(__x86_64__)
	return nr >= 337 && nr <= 423;
#else
	return (nr >= 244 && nr <= 259) || (nr >= 295 && nr <= 423) || nr == 38 || nr == 71;
#endif
}

TEST(every_number_is_in_one_list)
{
	int nr;

	for (nr = 0; nr <= CUV_SECCOMP_KNOWN_MAX; nr++) {
		const unsigned want = is_gap(nr) ? 0 : 1, have = lists_with(nr);

		if (have != want)
			fail_msg("call %d is in %u lists, not in %u", nr, have, want);
		if (is_gap(nr))
			assert_int_equal(call(nr, 0, 0, 0), ERRNO(ENOSYS));
	}
}

TEST(lists_are_whole)
{
	size_t i, n;
	const struct cuv_seccomp_call *c = cuv_seccomp_allowed(&n);
	const struct cuv_seccomp_check *rules;

	assert_true(n > 200);
	for (i = 0; i < n; i++)
		assert_true(c[i].name[0] && c[i].why[0] && !c[i].zygote && !c[i].error);
	c = cuv_seccomp_denied(&n);
	assert_true(n > 100);
	for (i = 0; i < n; i++) {
		assert_true(c[i].name[0] && c[i].why[0]);
		assert_true(c[i].error == EPERM || c[i].error == ENOSYS || c[i].error == 0);
	}
	rules = cuv_seccomp_checks(&n);
	for (i = 0; i < n; i++)
		assert_true(rules[i].name[0] && rules[i].why[0] && rules[i].when[0].op != CUV_ARG_END);
}

/* With arguments of every kind: the answer depends on the number alone. */
TEST(allowed_and_denied_calls)
{
	static const uint64_t args[] = {0, 1, 2, 0x7fffffff, 0xffffffff, 0x100000000ull, ~0ull};
	size_t i, j, n;
	const struct cuv_seccomp_call *c = cuv_seccomp_allowed(&n);

	for (i = 0; i < n; i++)
		for (j = 0; j < ARRAY_SIZE(args); j++)
			assert_int_equal(call(c[i].nr, args[j], args[j], args[j]), SECCOMP_RET_ALLOW);
	c = cuv_seccomp_denied(&n);
	for (i = 0; i < n; i++)
		for (j = 0; j < ARRAY_SIZE(args); j++)
			assert_int_equal(call(c[i].nr, args[j], args[j], args[j]), ERRNO(c[i].error));
}

TEST(small_and_quick)
{
	struct seccomp_data data = {.arch = NATIVE};
	size_t steps, most = 0, n;
	const struct cuv_seccomp_call *c = cuv_seccomp_allowed(&n);

	assert_in_range(filter.n, 100, 600); /* the kernel's limit is 4096 */
	assert_in_range(zygote_filter.n, 100, 600);
	while (n-- > 0) {
		data.nr = c[n].nr;
		(void)run_program(filter.filter, filter.n, &data, &steps);
		most = CUV_MAX(most, steps);
	}
	assert_in_range(most, 1, 5 + 9 + 1); /* the gate, a search among fewer than 512 ranges, the answer */
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
			assert_int_equal(call(SYS_socket, f, SOCK_DGRAM, 0),
					 ERRNO(f == AF_NETLINK ? EOPNOTSUPP : EAFNOSUPPORT));
	/* the kernel takes 32 bits of it; what only looks like a family is none */
	assert_int_equal(call(SYS_socket, (1ull << 32) | AF_INET, SOCK_STREAM, 0), ERRNO(EAFNOSUPPORT));
	assert_int_equal(call(SYS_socket, (1ull << 32) | AF_NETLINK, SOCK_RAW, 0), ERRNO(EOPNOTSUPP));
	assert_int_equal(call(SYS_socket, AF_UNIX, SOCK_SEQPACKET, 0), SECCOMP_RET_ALLOW);
	for (f = AF_INET; f <= AF_INET6; f += AF_INET6 - AF_INET) {
		assert_int_equal(call(SYS_socket, f, SOCK_STREAM | SOCK_CLOEXEC, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(call(SYS_socket, f, SOCK_DGRAM | SOCK_NONBLOCK, 17), SECCOMP_RET_ALLOW);
		assert_int_equal(call(SYS_socket, f, SOCK_RAW | SOCK_CLOEXEC, 1), ERRNO(EPERM));
		assert_int_equal(call(SYS_socket, f, SOCK_SEQPACKET, 0), ERRNO(EPERM));
		assert_int_equal(call(SYS_socket, f, SOCK_RAW, 255), ERRNO(EPERM));
		assert_int_equal(call(SYS_socket, f, 0, 0), ERRNO(EPERM));
		assert_int_equal(call(SYS_socket, f, SOCK_STREAM, IPPROTO_TCP), SECCOMP_RET_ALLOW);
		assert_int_equal(call(SYS_socket, f, SOCK_DGRAM, 1), ERRNO(EPROTONOSUPPORT)); /* ping */
		assert_int_equal(call(SYS_socket, f, SOCK_STREAM, 1ull << 32 | IPPROTO_TCP), ERRNO(EPROTONOSUPPORT));
		assert_int_equal(call(SYS_socket, f, SOCK_STREAM, 132), ERRNO(EPROTONOSUPPORT));
		assert_int_equal(call(SYS_socket, f, SOCK_STREAM, 262), ERRNO(EPROTONOSUPPORT));
	}
	assert_int_equal(call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_socketpair, 30, SOCK_STREAM, 0), ERRNO(EAFNOSUPPORT));
}

TEST(arguments_of_others)
{
	struct seccomp_data data = {.arch = NATIVE};

	assert_int_equal(call(SYS_ioctl, 0, TIOCSTI, 0), ERRNO(EPERM));
	assert_int_equal(call(SYS_ioctl, 0, (1ull << 32) | TIOCSTI, 0), ERRNO(EPERM));
	assert_int_equal(call(SYS_ioctl, 0, TIOCLINUX, 0), ERRNO(EPERM));
	assert_int_equal(call(SYS_ioctl, 0, FIONREAD, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_fcntl, 3, F_NOTIFY, 1), ERRNO(EPERM));
	assert_int_equal(call(SYS_fcntl, 3, (1ull << 32) | F_NOTIFY, 1), ERRNO(EPERM));
	assert_int_equal(call(SYS_fcntl, 3, F_SETLEASE, 0), ERRNO(EPERM));
	assert_int_equal(call(SYS_fcntl, 3, F_GETFL, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_fcntl, 3, F_SETFL, O_NONBLOCK), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_fcntl, 3, F_SETFL, O_NONBLOCK | O_DIRECT), ERRNO(EINVAL));
	assert_int_equal(call(SYS_openat, (uint64_t)AT_FDCWD, 1, O_RDWR | O_CREAT | O_NOFOLLOW), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_openat, (uint64_t)AT_FDCWD, 1, O_RDONLY | O_DIRECT), ERRNO(EINVAL));
	assert_int_equal(call(SYS_openat2, 3, 1, 1), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_fsync, 3, 0, 0), ERRNO(0));
	assert_int_equal(call(SYS_fdatasync, 3, 0, 0), ERRNO(0));
	assert_int_equal(call(SYS_setsockopt, 3, SOL_SOCKET, SO_REUSEADDR), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_setsockopt, 3, IPPROTO_TCP, SO_ATTACH_FILTER), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_setsockopt, 3, SOL_SOCKET, SO_ATTACH_FILTER), ERRNO(EPERM));
	assert_int_equal(call(SYS_setsockopt, 3, SOL_SOCKET, SO_ATTACH_BPF), ERRNO(EPERM));
	assert_int_equal(call(SYS_setsockopt, 3, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF), ERRNO(EPERM));
	assert_int_equal(call(SYS_setsockopt, 3, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF), ERRNO(EPERM));
	assert_int_equal(call(SYS_setsockopt, 3, IPPROTO_IPV6, 32 /* IPV6_FLOWLABEL_MGR */), ERRNO(EPERM));
	data.nr = SYS_fadvise64;
	data.args[3] = POSIX_FADV_DONTNEED;
	assert_int_equal(judge(&data), ERRNO(0));
	data.args[3] = POSIX_FADV_WILLNEED;
	assert_int_equal(judge(&data), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_setrlimit, RLIMIT_CORE, 1, 0), ERRNO(0));
	assert_int_equal(call(SYS_setrlimit, RLIMIT_NOFILE, 1, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_prlimit64, 0, RLIMIT_CORE, 1), ERRNO(0));
	assert_int_equal(call(SYS_prlimit64, 0, RLIMIT_CORE, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_sync, 0, 0, 0), ERRNO(0));
	assert_int_equal(call(SYS_prctl, PR_SCHED_CORE, 1, 0), ERRNO(EINVAL));
	assert_int_equal(call(SYS_prctl, PR_SET_NAME, 1, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 1), ERRNO(EINVAL));
	assert_int_equal(call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, 1),
			 ERRNO(EINVAL));
	assert_int_equal(call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, 1), ERRNO(EINVAL));
	assert_int_equal(call(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 8, 1), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_personality, 0xffffffff, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(call(SYS_personality, 0x40000, 0, 0), ERRNO(EPERM));
	assert_int_equal(call(SYS_personality, 0x1ffffffffull, 0, 0), ERRNO(EPERM));
}

TEST(calls_of_later_kernels)
{
	assert_int_equal(call(CUV_SECCOMP_KNOWN_MAX + 1, 0, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(call(CUV_SECCOMP_KNOWN_MAX, 0, 0, 0), ERRNO(ENOSYS)); /* file_setattr, of the list */
	assert_int_equal(call(0x3fffffff, 0, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(call(-1, 0, 0, 0), ERRNO(ENOSYS)); /* as the kernel says by itself */
}

TEST(foreign_architectures)
{
	struct seccomp_data data = {.nr = 1, .arch = FOREIGN};

	assert_int_equal(judge(&data), SECCOMP_RET_KILL_PROCESS);
	data.nr = CUV_SECCOMP_KNOWN_MAX + 1;
	assert_int_equal(judge(&data), SECCOMP_RET_KILL_PROCESS);
	for (data.nr = 0; data.nr <= CUV_SECCOMP_KNOWN_MAX; data.nr++)
		assert_int_equal(judge_zygotes_run(&data), SECCOMP_RET_KILL_PROCESS);
#if defined(__x86_64__)
	assert_int_equal(call(0x40000000 | SYS_getpid, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
#endif
}

/* What a zygote may do more, and nothing else. */
TEST(zygote_does_what_a_run_does_not)
{
	static const uint64_t args[] = {0,    1, 17, CLONE_PARENT | 17, CLONE_NEWUSER | 17, CLONE_PARENT | CLONE_NEWNS,
					~0ull};
	size_t i, steps;
	int nr;

	for (nr = -1; nr <= CUV_SECCOMP_KNOWN_MAX + 2; nr++)
		for (i = 0; i < ARRAY_SIZE(args); i++) {
			const struct seccomp_data data = {
				.nr = nr, .arch = NATIVE, .args = {args[i], args[i], args[i]}};
			const uint32_t run = judge(&data),
				       zygote = run_program(zygote_filter.filter, zygote_filter.n, &data, &steps);
			const bool filters = nr == SYS_seccomp && args[i] == SECCOMP_SET_MODE_FILTER &&
					     !(args[i] & SECCOMP_FILTER_FLAG_NEW_LISTENER);
			const bool more = filters || nr == SYS_setns || nr == SYS_capset ||
					  (nr == SYS_clone && args[i] == (CLONE_PARENT | 17));

			assert_int_equal(zygote, more ? SECCOMP_RET_ALLOW : run);
			if (more)
				assert_int_equal(run, ERRNO(filters ? EINVAL : EPERM));
		}
}

static bool has_rules(int nr)
{
	size_t i, n;
	const struct cuv_seccomp_check *rules = cuv_seccomp_checks(&n);

	for (i = 0; i < n; i++)
		if (rules[i].nr == nr)
			return true;
	return nr == SYS_setns || nr == SYS_capset;
}

/* A zygote's filter with the delta on top is a run's filter: for every number,
 * and every combination of values that any rule speaks of, and their neighbours. */
TEST(zygotes_runs_are_as_sealed)
{
	uint64_t v[96] = {0, 1, ~0ull, 1ull << 32, CLONE_PARENT, CLONE_PARENT | CLONE_NEWUSER, CLONE_PARENT | CLONE_VM};
	size_t n = 7, rules_n, i, j, k;
	const struct cuv_seccomp_check *rules = cuv_seccomp_checks(&rules_n);
	int nr;

	for (i = 0; i < rules_n; i++)
		for (j = 0; j < CUV_SECCOMP_ARGS_MAX && rules[i].when[j].op != CUV_ARG_END; j++) {
			const uint64_t value = rules[i].when[j].value, near[] = {value, value | 1ull << 32, value + 1};
			size_t m, seen;

			for (m = 0; m < ARRAY_SIZE(near); m++) {
				for (seen = 0; seen < n && v[seen] != near[m]; seen++)
					;
				assert_true(seen < ARRAY_SIZE(v));
				v[seen] = near[m];
				n = CUV_MAX(n, seen + 1);
			}
		}
	for (nr = -1; nr <= CUV_SECCOMP_KNOWN_MAX + 2; nr++)
		for (i = 0; i < n; i++)
			for (j = 0; j < n; j++)
				for (k = 0; k < n; k++) {
					const struct seccomp_data data = {
						.nr = nr, .arch = NATIVE, .args = {v[i], v[j], v[k], v[j], v[k], v[i]}};
					const uint32_t want = judge(&data), have = judge_zygotes_run(&data);

					if (want != have)
						fail_msg("call %d (%#llx, %#llx, %#llx): %#x, a run's is %#x", nr,
							 (unsigned long long)v[i], (unsigned long long)v[j],
							 (unsigned long long)v[k], have, want);
					/* Where no rule looks at arguments one look is enough. */
					if (!has_rules(nr))
						i = j = k = n;
				}
}

/* The kernel takes them, and they say the same there: a child under both. */
TEST(the_kernel_agrees)
{
	static const int denied[] = {SYS_setns, SYS_capset, SYS_unshare, SYS_ptrace, SYS_keyctl};
	int status;
	pid_t pid = fork();
	size_t i;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || cuv_seccomp_load(&zygote_filter) < 0)
			_exit(1);
		if (syscall(SYS_setns, -1, 0) != -1 || errno != EBADF || syscall(SYS_capset, 0, 0) != -1 ||
		    errno != EFAULT)
			_exit(2);
		if (cuv_seccomp_load_delta() < 0)
			_exit(3);
		for (i = 0; i < ARRAY_SIZE(denied); i++)
			if (syscall(denied[i], -1, 0, 0, 0) != -1 || errno != EPERM)
				_exit(4);
		if (syscall(SYS_clone, CLONE_PARENT | 17, 0, 0, 0, 0) != -1 || errno != EPERM)
			_exit(5);
		_exit(getpid() > 0 && cuv_seccomp_load(&filter) == -EINVAL && getpid() > 0 ? 0 : 6);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || cuv_seccomp_load(&filter) < 0)
			_exit(1);
		_exit(getpid() > 0 && cuv_seccomp_load(&filter) == -EINVAL ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_is_in_one_list),
		cmocka_unit_test(lists_are_whole),
		cmocka_unit_test(allowed_and_denied_calls),
		cmocka_unit_test(small_and_quick),
		cmocka_unit_test(calls_programs_need),
		cmocka_unit_test(clone_flags),
		cmocka_unit_test(sockets),
		cmocka_unit_test(arguments_of_others),
		cmocka_unit_test(calls_of_later_kernels),
		cmocka_unit_test(foreign_architectures),
		cmocka_unit_test(zygote_does_what_a_run_does_not),
		cmocka_unit_test(zygotes_runs_are_as_sealed),
		cmocka_unit_test(the_kernel_agrees),
	};
	struct cuv_error err = CUV_ERROR_INIT;
	int r;

	if (cuv_seccomp_build(&filter, &err) < 0 || cuv_seccomp_build_zygote(&zygote_filter, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	r = cmocka_run_group_tests_name("launcher_seccomp", tests, NULL, NULL);
	cuv_seccomp_done(&filter);
	cuv_seccomp_done(&zygote_filter);
	return r;
}
