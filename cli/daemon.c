/* SPDX-License-Identifier: MIT */
#include "cli/daemon.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/kernel.h"
#include "lib/proto/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3
/* Above all numbers that a child's descriptors get. */
#define PARK_FD (FIRST_FD + 1 + CUV_DAEMON_FDS_MAX)
#define LOG_TAIL 1500

void cuv_wait_text(int status, char ret[CUV_WAIT_TEXT_SIZE])
{
	if (WIFSIGNALED(status))
		snprintf(ret, CUV_WAIT_TEXT_SIZE, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(ret, CUV_WAIT_TEXT_SIZE, "exit status %d", WEXITSTATUS(status));
}

/* --- in the child: system calls only --- */

struct child {
	const struct cuv_daemon_spec *spec;
	const char *path;
	char *const *argv;
	int control;
	int log;
	pid_t parent;
	bool placed; /* the control socket is at its number */
};

static int join_cgroups(const struct cuv_daemon_spec *spec)
{
	size_t i;

	for (i = 0; i < CUV_DAEMON_CGROUPS_MAX; i++)
		if (spec->cgroups[i] >= 0 && write(spec->cgroups[i], "0", 1) != 1)
			return -errno;
	return 0;
}

/* Puts the descriptors in their places and closes all others. They are moved
 * out of the way first, so that none is overwritten before its turn. */
static int place_fds(struct child *c)
{
	int from[1 + CUV_DAEMON_FDS_MAX], null = open("/dev/null", O_RDWR | O_CLOEXEC), i, log;

	if (null < 0)
		return -errno;
	for (i = 0; i < (int)ARRAY_SIZE(from); i++) {
		int fd = i == 0 ? c->control : c->spec->fds[i - 1];

		from[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, PARK_FD);
		if (fd >= 0 && from[i] < 0)
			return -errno;
	}
	log = fcntl(c->log, F_DUPFD_CLOEXEC, PARK_FD);
	if (log < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		return -errno;
	for (i = 0; i < (int)ARRAY_SIZE(from); i++) {
		if (from[i] < 0)
			(void)close(FIRST_FD + i);
		else if (dup2(from[i], FIRST_FD + i) < 0)
			return -errno;
	}
	c->placed = true;
	return close_range(PARK_FD, ~0u, 0) < 0 ? -errno : 0;
}

static void default_signals(void)
{
	sigset_t none;
	int s;

	for (s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _noreturn_ void child_main(struct child *c)
{
	struct cuv_error err;
	int r;

	(void)setsid();
	r = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;
	/* We may have died before that took effect. */
	if (r == 0 && getppid() != c->parent)
		_exit(1);
	default_signals();
	if (r == 0)
		r = join_cgroups(c->spec);
	if (r == 0)
		r = place_fds(c);
	if (r == 0 && chdir("/") < 0)
		r = -errno;
	if (r == 0) {
		execve(c->path, c->argv, c->spec->env);
		r = -errno;
	}
	cuv_error_set(&err, CUV_E_UNAVAILABLE, "the %s can't be started (%s): %s", c->spec->name, strerror(-r),
		      c->path);
	(void)cuv_failure_send(c->placed ? FIRST_FD : c->control, &err);
	_exit(127);
}

/* --- in the parent --- */

/* The program beside our own: "<folder of /proc/self/exe>/cuvette-<name>". */
static int find_program(const char *name, char ret[PATH_MAX], struct cuv_error *err)
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 64);
	char *slash;

	if (n < 0) {
		n = -errno;
		cuv_error_set(err, CUV_E_UNAVAILABLE, "/proc/self/exe can't be read (%s); is /proc mounted?",
			      strerror((int)-n));
		return (int)n;
	}
	ret[n] = '\0';
	slash = strrchr(ret, '/');
	cuv_assert(slash);
	snprintf(slash + 1, 64, "cuvette-%s", name);
	if (access(ret, X_OK) < 0) {
		int r = -errno;

		cuv_error_set(err, CUV_E_UNAVAILABLE,
			      "%s can't be executed (%s); it belongs beside `cuvette`: build all of it with `make`",
			      ret, strerror(-r));
		return r;
	}
	return 0;
}

static int build_argv(const struct cuv_daemon_spec *spec, struct cuv_strv *ret)
{
	int r = cuv_strv_addf(ret, "cuvette-%s", spec->name);
	size_t i;

	for (i = 0; r == 0 && i < spec->args->n; i++)
		r = cuv_strv_add(ret, spec->args->items[i]);
	return r;
}

static int start(const struct cuv_daemon_spec *spec, const char *path, struct cuv_daemon *ret)
{
	_cleanup_strv_ struct cuv_strv argv = CUV_STRV_INIT;
	int pair[2], pipes[2] = {-1, -1}, r = build_argv(spec, &argv);
	struct cuv_daemon d = CUV_DAEMON_INIT;
	struct child c = {.spec = spec, .path = path, .argv = argv.items, .parent = getpid()};

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	/* Not blocking: a child that logs more than a pipe holds, while nobody
	 * reads, loses lines instead of standing still. */
	if (spec->log_fd < 0 && pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0) {
		r = -errno;
		goto out;
	}
	c.control = pair[1];
	c.log = spec->log_fd < 0 ? pipes[1] : spec->log_fd;
	fflush(NULL);
	d.pid = fork();
	if (d.pid < 0) {
		r = -errno;
		goto out;
	}
	if (d.pid == 0)
		child_main(&c);
	d.name = spec->name;
	d.pidfd = pidfd_open(d.pid, 0);
	if (d.pidfd < 0) {
		r = -errno;
		(void)kill(d.pid, SIGKILL);
		(void)waitpid(d.pid, NULL, 0);
		goto out;
	}
	d.control = TAKE_FD(pair[0]);
	d.log = TAKE_FD(pipes[0]);
	*ret = d;
out:
	cuv_close(pair[0]);
	cuv_close(pair[1]);
	cuv_close(pipes[0]);
	cuv_close(pipes[1]);
	return r;
}

int cuv_daemon_start(const struct cuv_daemon_spec *spec, struct cuv_daemon *ret, struct cuv_error *err)
{
	char path[PATH_MAX];
	int r = cuv_kernel_check(err);

	if (r == 0)
		r = find_program(spec->name, path, err);
	if (r < 0)
		return r;
	r = start(spec, path, ret);
	if (r < 0)
		cuv_error_set(err, CUV_E_UNAVAILABLE, "the %s can't be started (%s)", spec->name, strerror(-r));
	return r;
}

/* It is gone and said nothing: its status, and what it wrote to stderr last. */
static int report_end(struct cuv_daemon *d, struct cuv_error *err)
{
	char how[CUV_WAIT_TEXT_SIZE] = "hung up", text[65536];
	const char *name = d->name;
	ssize_t n = d->log < 0 ? 0 : read(d->log, text, sizeof(text));
	int status = cuv_daemon_reap(d, cuv_deadline_ms(1000), -1);

	if (status >= 0)
		cuv_wait_text(status, how);
	cuv_error_set(err, CUV_E_UNAVAILABLE, "the %s ended before it was ready: %s", name, how);
	if (n > 0) {
		size_t skip = n > LOG_TAIL ? (size_t)n - LOG_TAIL : 0;

		cuv_error_copy_text(err->explanation, sizeof(err->explanation), text + skip, (size_t)n - skip);
	}
	return -ECHILD;
}

int cuv_daemon_take(struct cuv_daemon *d, struct cuv_error *err)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	struct pollfd p = {.fd = d->control, .events = POLLIN};
	int r;

	/* What it said comes before that it is gone. */
	if (poll(&p, 1, 0) <= 0)
		return report_end(d, err);
	r = cuv_frame_recv(d->control, &f);

	if (r == 1)
		return report_end(d, err);
	if (r == 0 && f.type == CUV_MSG_READY)
		return 1;
	if (r == 0 && f.type == CUV_MSG_FAILURE && cuv_failure_get(&f.body, err) == 0)
		return -EREMOTEIO;
	if (r == 0 && f.type == CUV_MSG_LISTENING && cuv_listening_get(&f.body, &d->port) == 0)
		return 0;
	if (r == -EAGAIN || r == -EINTR)
		return 0;
	cuv_error_set(err, CUV_E_INTERNAL, "the %s sent what can't be understood; are all programs of one version?",
		      d->name);
	return -EBADMSG;
}

int cuv_daemon_wait_ready(struct cuv_daemon *d, uint64_t deadline_ns, int cancel_fd, struct cuv_error *err)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = d->control, .events = POLLIN},
				       {.fd = d->pidfd, .events = POLLIN},
				       {.fd = cancel_fd, .events = POLLIN}};
		int r = poll(fds, ARRAY_SIZE(fds), cuv_deadline_poll_ms(deadline_ns));

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0 && fds[2].revents)
			return -EINTR;
		if (r > 0 && (fds[0].revents || fds[1].revents)) {
			r = cuv_daemon_take(d, err);
			if (r != 0)
				return r < 0 ? r : 0;
		}
		if (cuv_now_ns() >= deadline_ns) {
			cuv_error_set(err, CUV_E_UNAVAILABLE, "the %s was not ready in time", d->name);
			return -ETIMEDOUT;
		}
	}
}

void cuv_daemon_end(struct cuv_daemon *d)
{
	d->control = cuv_close(d->control);
	if (d->pid > 0)
		(void)kill(d->pid, SIGTERM);
}

/* True when it ended by itself. */
static bool wait_end(const struct cuv_daemon *d, uint64_t deadline_ns, int hurry_fd)
{
	struct pollfd fds[] = {{.fd = d->pidfd, .events = POLLIN}, {.fd = hurry_fd, .events = POLLIN}};

	for (;;) {
		int r = poll(fds, ARRAY_SIZE(fds), cuv_deadline_poll_ms(deadline_ns));

		if (r < 0 && errno != EINTR)
			return false;
		if (r > 0 && fds[0].revents)
			return true;
		if ((r > 0 && fds[1].revents) || cuv_now_ns() >= deadline_ns)
			return false;
	}
}

int cuv_daemon_reap(struct cuv_daemon *d, uint64_t deadline_ns, int hurry_fd)
{
	int status = -1;

	if (d->pid > 0) {
		if (!wait_end(d, deadline_ns, hurry_fd))
			(void)kill(d->pid, SIGKILL);
		while (waitpid(d->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	cuv_close(d->pidfd);
	cuv_close(d->control);
	cuv_close(d->log);
	*d = CUV_DAEMON_INIT;
	return status;
}
