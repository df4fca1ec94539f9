/* SPDX-License-Identifier: MIT */
/* What the box maker believes: what /proc says, and messages of one form. */
#include "lib/base/fd.h"
#include "worker-image/launcher/maker.h"
#include "worker-image/launcher/nsfd.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void shared_mappings(void **state)
{
	(void)state;
	assert_true(cuv_maps_line_is_shared("7f00-7f01 rw-s 00000000 00:01 12 /dev/zero (deleted)"));
	assert_true(cuv_maps_line_is_shared("7f00-7f01 -w-s 00000000 00:01 12"));
	assert_false(cuv_maps_line_is_shared("7f00-7f01 rw-p 00000000 00:01 12 /lib/s"));
	assert_false(cuv_maps_line_is_shared("7f00-7f01 r--s 00000000 00:01 12 /usr/lib/gconv-modules.cache"));
	assert_false(cuv_maps_line_is_shared("7f00-7f01"));
	assert_false(cuv_maps_line_is_shared("7f00-7f01 rw"));
	assert_false(cuv_maps_line_is_shared(""));
}

static void numbers_of_a_status(void **state)
{
	static const char text[] = "Name:\tCapEff:\nPPid:\t1\nUid:\t1000\t1000\nCapEff:\t00000000002c0000\nOdd:\tx\n";
	uint64_t n;

	(void)state;
	assert_int_equal(cuv_status_number(text, "PPid", 10, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(cuv_status_number(text, "Uid", 10, &n), 0);
	assert_int_equal(n, 1000);
	assert_int_equal(cuv_status_number(text, "CapEff", 16, &n), 0);
	assert_int_equal(n, 0x2c0000);
	assert_int_equal(cuv_status_number(text, "Pid", 10, &n), -ENOENT);
	assert_int_equal(cuv_status_number(text, "Odd", 10, &n), -EINVAL);
	assert_int_equal(cuv_status_number("", "PPid", 10, &n), -ENOENT);
}

static int open_proc(void)
{
	int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* We are no run: our parent is not the box maker, and we have no filter. */
static void other_processes_are_no_runs(void **state)
{
	_cleanup_close_ int proc = open_proc();
	int ns[CUV_MAKER_NAMESPACES] = {-1, -1, -1, -1, -1, -1};
	char why[160] = "";
	pid_t dead;

	(void)state;
	assert_int_equal(cuv_maker_check_run(proc, getpid(), ns, sizeof(why), why), -EPERM);
	assert_non_null(strstr(why, "PPid"));
	assert_int_equal(cuv_maker_check_run(proc, 0, ns, sizeof(why), why), -EPERM);
	dead = fork();
	assert_true(dead >= 0);
	if (dead == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)dead, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
	assert_int_equal(cuv_maker_check_run(proc, dead, ns, sizeof(why), why), -ESRCH);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	assert_int_equal(cuv_maker_check_run(proc, dead, ns, sizeof(why), why), -ESRCH);
}

static const int kinds[] = {CLONE_NEWPID, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};

/* By a pidfd, where this kernel can; by /proc; and by /proc as the caller's own. */
static void namespaces_are_the_same_by_any_way(void **state)
{
	_cleanup_close_ int proc = open_proc(), self = pidfd_open(getpid(), 0);
	size_t i;

	(void)state;
	assert_true(self >= 0);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_close_ int by_pidfd = cuv_nsfd_open(self, kinds[i], proc, getpid());
		_cleanup_close_ int by_pid = cuv_nsfd_open(-1, kinds[i], proc, getpid());
		_cleanup_close_ int own = cuv_nsfd_open(-1, kinds[i], -1, 0);
		struct stat a, b, c;

		assert_int_equal(fstat(by_pidfd, &a), 0);
		assert_int_equal(fstat(by_pid, &b), 0);
		assert_int_equal(fstat(own, &c), 0);
		assert_true(a.st_ino == b.st_ino && a.st_dev == b.st_dev && b.st_ino == c.st_ino);
		assert_true(fcntl(by_pidfd, F_GETFD) & FD_CLOEXEC);
	}
}

static void the_dead_have_no_namespaces(void **state)
{
	_cleanup_close_ int proc = open_proc();
	pid_t dead = fork();
	size_t i;
	int pidfd;

	(void)state;
	assert_true(dead >= 0);
	if (dead == 0)
		_exit(0);
	pidfd = pidfd_open(dead, 0);
	assert_true(pidfd >= 0);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(cuv_nsfd_open(pidfd, kinds[i], proc, dead), -ESRCH);
		assert_int_equal(cuv_nsfd_open(-1, kinds[i], proc, dead), -ESRCH);
	}
	close(pidfd);
}

static void a_zygote_shares_nothing(void **state)
{
	_cleanup_close_ int proc = open_proc();
	char why[160] = "";
	int go[2], ready[2];
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(go[0], 0);
		dup2(ready[1], 1);
		(void)close_range(3, ~0u, 0);
		(void)!write(1, "r", 1);
		(void)!read(0, &c, 1);
		if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			_exit(1);
		(void)!write(1, "r", 1);
		(void)!read(0, &c, 1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(cuv_maker_check_zygote(proc, pid, sizeof(why), why), 0);
	assert_true(cuv_maker_pss_bytes(proc, pid) > 0);
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(cuv_maker_check_zygote(proc, pid, sizeof(why), why), -EPERM);
	assert_non_null(strstr(why, "shares memory"));
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void messages_have_one_form(void **state)
{
	struct cuv_fdmsg m = {0};
	int pair[2], fds[3] = {0, 1, 2};
	uint32_t word = 7, got = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(cuv_fdmsg_recv(pair[1], &got, sizeof(got), 3, &m, MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(cuv_fdmsg_send(pair[0], &word, sizeof(word), fds, 3, 0), 0);
	assert_int_equal(cuv_fdmsg_recv(pair[1], &got, sizeof(got), 3, &m, 0), 0);
	assert_int_equal(got, 7);
	assert_int_equal(m.n, 3);
	assert_true(fcntl(m.fds[2], F_GETFD) & FD_CLOEXEC);
	cuv_fdmsg_done(&m);
	/* more descriptors than may be, too short, too long: nothing stays open */
	assert_int_equal(cuv_fdmsg_send(pair[0], &word, sizeof(word), fds, 3, 0), 0);
	assert_int_equal(cuv_fdmsg_recv(pair[1], &got, sizeof(got), 2, &m, 0), -EBADMSG);
	assert_int_equal(cuv_fdmsg_send(pair[0], &word, 3, NULL, 0, 0), 0);
	assert_int_equal(cuv_fdmsg_recv(pair[1], &got, sizeof(got), 2, &m, 0), -EBADMSG);
	assert_int_equal(cuv_fdmsg_send(pair[0], "12345", 5, NULL, 0, 0), 0);
	assert_int_equal(cuv_fdmsg_recv(pair[1], &got, sizeof(got), 2, &m, 0), -EBADMSG);
	close(pair[0]);
	assert_int_equal(cuv_fdmsg_recv(pair[1], &got, sizeof(got), 2, &m, 0), 1);
	close(pair[1]);
}

/* Without credentials the space for them holds descriptors; none of them stays open. */
static void too_many_descriptors(void **state)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * 24)];
	} control = {0};
	uint32_t word = 7, got = 0;
	struct iovec iov = {.iov_base = &word, .iov_len = sizeof(word)};
	struct msghdr h = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	struct cuv_fdmsg m = {0};
	int pair[2], before, after;

	(void)state;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * 24); /* twenty-four times standard input */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	before = dup(0);
	close(before);
	assert_int_equal(sendmsg(pair[0], &h, 0), sizeof(word));
	assert_int_equal(cuv_fdmsg_recv(pair[1], &got, sizeof(got), CUV_FDMSG_FDS_MAX, &m, 0), -EBADMSG);
	after = dup(0);
	assert_int_equal(after, before);
	close(after);
	close(pair[0]);
	close(pair[1]);
}

/* The kernel says who sent it, in the receiver's pid namespace. */
static void senders_are_named_by_the_kernel(void **state)
{
	struct cuv_fdmsg m = {0};
	uint32_t word = 7, got = 0;
	int pair[2], one = 1;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(cuv_fdmsg_send(pair[0], &word, sizeof(word), NULL, 0, 0) < 0);
	assert_int_equal(cuv_fdmsg_recv(pair[1], &got, sizeof(got), 0, &m, 0), 0);
	assert_int_equal(m.from.pid, pid);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_mappings),
		cmocka_unit_test(numbers_of_a_status),
		cmocka_unit_test(other_processes_are_no_runs),
		cmocka_unit_test(namespaces_are_the_same_by_any_way),
		cmocka_unit_test(the_dead_have_no_namespaces),
		cmocka_unit_test(a_zygote_shares_nothing),
		cmocka_unit_test(messages_have_one_form),
		cmocka_unit_test(too_many_descriptors),
		cmocka_unit_test(senders_are_named_by_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
