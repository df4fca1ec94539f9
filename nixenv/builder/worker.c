/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/worker.h"

#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/base/log.h"
#include "nixenv/builder/make.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REMOVE_TRIES 20
#define REMOVE_PAUSE_US 5000
/* Of the worker, after all else is closed. */
#define SOCK_FD 3
#define GIVEN_FD 4

/* What it is started for: one of the two. */
struct task {
	const struct cuv_builder *builder;
	struct cuv_make *make;
	const struct cuv_worker_chore *chore;
	const char *work;
};

/* --- the worker's namespaces --- */

static int write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : cuv_write_all(fd, text, strlen(text));
}

/* The same uid inside as outside: only the right to make namespaces is wanted. But
 * root is somebody else inside: Nix as uid 0 would want to set groups, which a
 * namespace with one id refuses. */
static int enter_namespaces(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char text[64];
	int r;

	/* After a change of uid /proc/self belongs to root until this. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return -errno;
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) < 0)
		return -errno;
	if ((r = write_text("/proc/self/setgroups", "deny")) < 0)
		return r;
	(void)snprintf(text, sizeof(text), "%u %u 1", uid ? uid : CUV_BOX_INNER_UID, uid);
	if ((r = write_text("/proc/self/uid_map", text)) < 0)
		return r;
	(void)snprintf(text, sizeof(text), "%u %u 1", gid ? gid : CUV_BOX_INNER_UID, gid);
	return write_text("/proc/self/gid_map", text);
}

/* Nix writes to /proc/<pid> of its children, so /proc must know our numbers. */
static int mount_proc(void)
{
	if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	return 0;
}

/* --- the worker's work --- */

static void send_progress(void *arg, const struct cuv_env_progress *p)
{
	_cleanup_writer_ struct cuv_writer w;

	(void)arg;
	cuv_writer_init(&w, CUV_MSG_ENV_PROGRESS);
	cuv_env_progress_put(&w, p);
	(void)cuv_writer_send(&w, SOCK_FD, NULL, 0);
}

static int send_ready(const struct cuv_environment *e)
{
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_ENV_READY);
	cuv_environment_put(&w, e);
	return cuv_writer_send(&w, SOCK_FD, NULL, 0);
}

static int no_namespaces(struct cuv_error *err, int r)
{
	cuv_log(CUV_LOG_ERROR, "worker-namespaces", CUV_S("error", strerror(-r)));
	if (r == -EAGAIN || r == -ENOMEM)
		return cuv_error_set_errno(err, r, "the environment's worker can't be started: %s", strerror(-r));
	return cuv_error_set(err, CUV_E_UNAVAILABLE,
			     "environments can't be built here: this host gives no user namespaces (%s)",
			     r == -ENOSPC ? "user.max_user_namespaces is reached" : strerror(-r));
}

static void work(struct task *t)
{
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	struct cuv_builder b = *t->builder;
	struct cuv_error err = CUV_ERROR_INIT;
	int r = mount_proc();

	if (t->make)
		t->make->builder = &b;
	if (r < 0)
		no_namespaces(&err, r);
	else if ((r = cuv_builder_state_reopen(&b.state)) < 0)
		cuv_error_set_errno(&err, r, "the folder of leases can't be opened: %s", strerror(-r));
	else if (t->chore)
		t->chore->do_it(&b, t->chore, SOCK_FD, t->work, t->chore->fd < 0 ? -1 : GIVEN_FD);
	else if ((r = cuv_make_environment(t->make, &e, &err)) == 0)
		r = send_ready(&e);
	if (r < 0 && err.code == CUV_E_NONE)
		cuv_error_set(&err, CUV_E_INTERNAL, "the answer could not be sent: %s", strerror(-r));
	if (r < 0)
		(void)cuv_failure_send(SOCK_FD, &err);
}

/* pid 1 of the namespace; alive is a pipe that hangs up when the waiting parent is
 * gone, which may be before the death signal was asked for. */
static _noreturn_ void worker_main(struct task *t, int alive)
{
	struct pollfd pfd = {.fd = alive, .events = POLLIN};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || poll(&pfd, 1, 0) != 0)
		_exit(1);
	work(t);
	_exit(0);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The socket and what was given to their numbers, and all else closed. */
static int place_fds(int sock, int given)
{
	/* First out of the way of both. */
	sock = fcntl(sock, F_DUPFD_CLOEXEC, GIVEN_FD + 1);
	if (given >= 0)
		given = fcntl(given, F_DUPFD_CLOEXEC, GIVEN_FD + 1);
	if (sock < 0 || dup3(sock, SOCK_FD, O_CLOEXEC) < 0 || (given >= 0 && dup3(given, GIVEN_FD, O_CLOEXEC) < 0))
		return -errno;
	return close_range(given >= 0 ? GIVEN_FD + 1 : GIVEN_FD, ~0u, 0) < 0 ? -errno : 0;
}

/* The process in between: enters the namespaces, starts pid 1 in them, waits. */
static _noreturn_ void between_main(struct task *t, int sock, pid_t parent)
{
	struct cuv_error err = CUV_ERROR_INIT;
	int alive[2], r;
	pid_t pid;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	reset_signals();
	/* No client's session may stay open because a worker has it too. */
	if (place_fds(sock, t->chore ? t->chore->fd : t->builder->launcher) < 0 || pipe2(alive, O_CLOEXEC) < 0)
		_exit(1);
	r = enter_namespaces();
	if (r < 0) {
		no_namespaces(&err, r);
		(void)cuv_failure_send(SOCK_FD, &err);
		_exit(1);
	}
	pid = fork();
	if (pid < 0) {
		no_namespaces(&err, -errno);
		(void)cuv_failure_send(SOCK_FD, &err);
		_exit(1);
	}
	if (pid == 0) {
		(void)close(alive[1]);
		worker_main(t, alive[0]);
	}
	(void)close_range(SOCK_FD, GIVEN_FD, 0);
	(void)close(alive[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	_exit(0);
}

/* --- the builder's side --- */

static int start(struct task *t, struct cuv_worker *ret)
{
	static unsigned serial;
	struct cuv_worker w = CUV_WORKER_INIT;
	_cleanup_close_ int theirs = -1;
	char name[32];
	int pair[2], r;

	(void)snprintf(name, sizeof(name), "work-%u", serial++);
	cuv_path_join(t->builder->state.tmp, name, w.work);
	if (mkdir(w.work, 0755) < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	w.sock = pair[0];
	theirs = pair[1];
	r = cuv_set_nonblock(w.sock, true);
	if (r == 0) {
		pid_t parent = getpid();

		t->work = w.work;
		if (t->make)
			t->make->work = w.work;
		w.pid = fork();
		if (w.pid == 0)
			between_main(t, theirs, parent);
		r = w.pid < 0 ? -errno : 0;
	}
	if (r < 0) {
		w.pid = 0;
		cuv_worker_stop(&w);
		return r;
	}
	*ret = w;
	return 0;
}

int cuv_worker_start(const struct cuv_builder *b, const struct cuv_env_ask *ask, const struct cuv_key *key,
		     const char *canonical, size_t len, struct cuv_worker *ret)
{
	struct cuv_make m = {
		.builder = b,
		.ask = *ask,
		.key = *key,
		.canonical = canonical,
		.canonical_len = len,
		.launcher = b->launcher < 0 ? -1 : GIVEN_FD,
		.deadline_ns = cuv_deadline_ms(cuv_make_ms(ask)),
		.cancel_fd = SOCK_FD,
		.on_progress = send_progress,
	};

	return start(&(struct task){.builder = b, .make = &m}, ret);
}

int cuv_worker_start_chore(const struct cuv_builder *b, const struct cuv_worker_chore *c, struct cuv_worker *ret)
{
	return start(&(struct task){.builder = b, .chore = c}, ret);
}

void cuv_worker_stop(struct cuv_worker *w)
{
	if (w->pid > 0) {
		(void)kill(w->pid, SIGKILL);
		while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	w->sock = cuv_close(w->sock);
	/* What was killed with it may need a moment to let go of its files. */
	for (int i = 0; w->work[0] && cuv_remove_tree(w->work) < 0 && i < REMOVE_TRIES; i++)
		(void)usleep(REMOVE_PAUSE_US);
	*w = CUV_WORKER_INIT;
}
