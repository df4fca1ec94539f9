/* SPDX-License-Identifier: MIT */
#include <Python.h>

#include "worker-image/zygote/zygote.h"

#include "worker-image/launcher/fdmsg.h"

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

int cuv_fork_serve(void)
{
	for (;;) {
		struct cuv_zygote_fork q;
		struct cuv_fdmsg msg = {0};
		int r = cuv_fdmsg_recv(CUV_ZYGOTE_CONTROL_FD, &q, sizeof(q), CUV_ZYGOTE_FDS, &msg, 0);

		if (r == 0 && (msg.n != CUV_ZYGOTE_FDS || q.version != CUV_ZYGOTE_VERSION))
			r = -EBADMSG;
		if (r == 0)
			fork_run(&q, msg.fds);
		cuv_fdmsg_done(&msg);
		if (r == 1 || r == -ECONNRESET) /* the box maker has ended */
			return 0;
		if (r < 0)
			return r;
	}
}
