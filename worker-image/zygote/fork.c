/* SPDX-License-Identifier: MIT */
#include <Python.h>

#include "worker-image/zygote/zygote.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More descriptors than an order has, so that one with too many is seen as such. */
#define FDS_MAX (CUV_ZYGOTE_FDS + 4)
#define ROBUST_LIST_HEAD_SIZE 24

static int own_pid_ns = -1;
/* Where glibc keeps the thread's id: the kernel is to write the child's there. */
static pid_t *tid_field;
static void *robust_list;

int cuv_fork_prepare(void)
{
	size_t len;

	own_pid_ns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (own_pid_ns < 0)
		return -errno;
	/* glibc has told the kernel the place at the start of the program. */
	if (prctl(PR_GET_TID_ADDRESS, &tid_field) < 0)
		return -errno;
	if (!tid_field || *tid_field != gettid())
		return -ENOSYS;
	if (syscall(SYS_get_robust_list, 0, &robust_list, &len) < 0)
		return -errno;
	return robust_list && len == ROBUST_LIST_HEAD_SIZE ? 0 : -ENOSYS;
}

/* A sibling rather than a child, so that the box maker reaps it; 0 in the child. */
static pid_t clone_sibling(void)
{
	const unsigned long flags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
#if defined(__aarch64__)
	long pid = syscall(SYS_clone, flags, 0ul, NULL, 0ul, tid_field);
#else
	long pid = syscall(SYS_clone, flags, 0ul, NULL, tid_field, 0ul);
#endif

	return pid < 0 ? -errno : (pid_t)pid;
}

static void fork_run(const struct cuv_zygote_fork *q, const int fds[CUV_ZYGOTE_FDS])
{
	pid_t pid;
	int r;

	if (setns(fds[CUV_ZYGOTE_FD_PID], CLONE_NEWPID) < 0) {
		cuv_hello_send(fds[CUV_ZYGOTE_FD_HELLO], CUV_ZYGOTE_STEP_FORK, -errno);
		return;
	}
	PyOS_BeforeFork();
	cuv_atfork_before();
	pid = clone_sibling();
	if (pid == 0) {
		(void)syscall(SYS_set_robust_list, robust_list, ROBUST_LIST_HEAD_SIZE);
		cuv_atfork_child();
		PyOS_AfterFork_Child();
		cuv_run_child(q, fds);
	}
	cuv_atfork_parent();
	PyOS_AfterFork_Parent();
	r = setns(own_pid_ns, CLONE_NEWPID) < 0 ? -errno : 0;
	if (pid < 0)
		cuv_hello_send(fds[CUV_ZYGOTE_FD_HELLO], CUV_ZYGOTE_STEP_FORK, pid);
	if (r < 0)
		_exit(1); /* the next run would be born in this one's box */
}

/* 0, 1 when the other side has closed, or -errno. What came is the caller's to
 * close in every case. */
static int receive(struct cuv_zygote_fork *ret, int fds[FDS_MAX], size_t *ret_n)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = ret, .iov_len = sizeof(*ret)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c;
	ssize_t n;

	*ret_n = 0;
	do
		n = recvmsg(CUV_ZYGOTE_CONTROL_FD, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 1 : -errno;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		size_t i, m;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		m = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < m && *ret_n < FDS_MAX; i++)
			memcpy(&fds[(*ret_n)++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
	if (n == 0 && *ret_n == 0)
		return 1;
	if (n != (ssize_t)sizeof(*ret) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || *ret_n != CUV_ZYGOTE_FDS ||
	    ret->version != CUV_ZYGOTE_VERSION)
		return -EBADMSG;
	return 0;
}

int cuv_fork_serve(void)
{
	for (;;) {
		struct cuv_zygote_fork q;
		int fds[FDS_MAX];
		size_t n;
		int r = receive(&q, fds, &n);

		if (r == 0)
			fork_run(&q, fds);
		while (n > 0)
			cuv_close(fds[--n]);
		if (r != 0)
			return r == 1 ? 0 : r;
	}
}
