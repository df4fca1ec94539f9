/* SPDX-License-Identifier: MIT */
#include "lib/base/child.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIPE_OUT, PIPE_ERR, PIPE_FAIL, N_PIPES };

/* Both ends of the three pipes, ours and the child's. */
struct pipes {
	int ours[N_PIPES];
	int theirs[N_PIPES];
};

static void pipes_done(struct pipes *p)
{
	for (size_t i = 0; i < N_PIPES; i++) {
		p->ours[i] = cuv_close(p->ours[i]);
		p->theirs[i] = cuv_close(p->theirs[i]);
	}
}

static int pipes_init(struct pipes *p)
{
	for (size_t i = 0; i < N_PIPES; i++)
		p->ours[i] = p->theirs[i] = -1;
	for (size_t i = 0; i < N_PIPES; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			return -errno;
		p->ours[i] = ends[0];
		p->theirs[i] = ends[1];
	}
	return 0;
}

/* --- in the child: system calls only --- */

static int limit_one(int resource, uint64_t value)
{
	struct rlimit now, want;

	if (value == 0)
		return 0;
	if (getrlimit((__rlimit_resource_t)resource, &now) < 0)
		return -errno;
	want.rlim_cur = want.rlim_max = CUV_MIN((rlim_t)value, now.rlim_max);
	return setrlimit((__rlimit_resource_t)resource, &want) < 0 ? -errno : 0;
}

static int limit_all(const struct cuv_child_limits *l)
{
	static const struct rlimit no_core = {0, 0};
	int r = 0;

	if (setrlimit(RLIMIT_CORE, &no_core) < 0)
		return -errno;
	if ((r = limit_one(RLIMIT_CPU, l->cpu_s)) < 0 || (r = limit_one(RLIMIT_AS, l->memory_bytes)) < 0 ||
	    (r = limit_one(RLIMIT_FSIZE, l->file_bytes)) < 0 || (r = limit_one(RLIMIT_NOFILE, l->descriptors)) < 0 ||
	    (r = limit_one(RLIMIT_NPROC, l->processes)) < 0)
		return r;
	return 0;
}

static int set_streams(const struct cuv_child_spec *spec, const struct pipes *p)
{
	_cleanup_close_ int null = -1;
	int in = spec->stdin_fd;

	if (in < 0) {
		null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (null < 0)
			return -errno;
		in = null;
	}
	if (dup2(in, STDIN_FILENO) < 0 || dup2(p->theirs[PIPE_OUT], STDOUT_FILENO) < 0 ||
	    dup2(p->theirs[PIPE_ERR], STDERR_FILENO) < 0)
		return -errno;
	return close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

static void set_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_prepare(const struct cuv_child_spec *spec, const struct pipes *p, pid_t parent)
{
	int r;

	if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	/* The parent may have died before the line above took effect. */
	if (getppid() != parent)
		return -ESRCH;
	set_signals();
	if (chdir(spec->cwd ? spec->cwd : "/") < 0)
		return -errno;
	if ((r = set_streams(spec, p)) < 0 || (r = limit_all(&spec->limits)) < 0)
		return r;
	return spec->before_exec ? spec->before_exec(spec->arg) : 0;
}

static _noreturn_ void child_main(const struct cuv_child_spec *spec, const struct pipes *p, pid_t parent)
{
	char *none[] = {NULL};
	int r = child_prepare(spec, p, parent);

	if (r == 0) {
		execve(spec->path, spec->argv->items, spec->env && spec->env->items ? spec->env->items : none);
		r = -errno;
	}
	(void)!write(p->theirs[PIPE_FAIL], &r, sizeof(r));
	_exit(127);
}

/* --- in the parent --- */

/* Waits for exec: 0 when the pipe closed, the child's -errno otherwise. */
static int await_exec(int fail)
{
	int value;
	ssize_t n;

	do
		n = read(fail, &value, sizeof(value));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	return n == (ssize_t)sizeof(value) ? value : -EIO;
}

/* Keeps the first bytes (of stdout) or the last ones (of stderr). */
static void keep(struct cuv_buf *b, bool tail, const char *data, size_t len, bool *cut)
{
	if (b->len + len > b->max) {
		*cut = true;
		if (!tail) {
			len = b->max - b->len;
		} else if (len >= b->max) {
			data += len - b->max;
			len = b->max;
			b->len = 0;
		} else {
			size_t drop = b->len + len - b->max;

			memmove(b->data, b->data + drop, b->len - drop);
			b->len -= drop;
		}
	}
	(void)cuv_buf_add(b, data, len);
}

/* Reads what is there once; false at the end of the stream. */
static bool take_output(const struct cuv_child_spec *spec, int fd, bool is_err, struct cuv_child_result *res)
{
	char chunk[16384];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	if (is_err && spec->on_stderr)
		spec->on_stderr(spec->arg, chunk, (size_t)n);
	if (is_err)
		keep(&res->err, true, chunk, (size_t)n, &res->err_cut);
	else
		keep(&res->out, false, chunk, (size_t)n, &res->out_cut);
	return true;
}

/* What the pipes still hold once the child is gone, but no waiting for
 * grandchildren that have them open; bounded by what a pipe can hold. */
static void drain(const struct cuv_child_spec *spec, struct pipes *p, struct cuv_child_result *res)
{
	for (size_t i = PIPE_OUT; i <= PIPE_ERR; i++) {
		struct pollfd pfd = {.fd = p->ours[i], .events = POLLIN};

		for (int n = 0; n < 128 && poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLIN); n++)
			if (!take_output(spec, p->ours[i], i == PIPE_ERR, res))
				break;
	}
}

/* Serves the child until it ends; how it ended unless by itself, else 0. */
static enum cuv_child_end serve(const struct cuv_child_spec *spec, int pidfd, struct pipes *p,
				struct cuv_child_result *res)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
				       {.fd = p->ours[PIPE_OUT], .events = POLLIN},
				       {.fd = p->ours[PIPE_ERR], .events = POLLIN},
				       {.fd = spec->cancel_fd, .events = POLLIN}};
		int r = poll(fds, ARRAY_SIZE(fds), cuv_deadline_poll_ms(spec->deadline_ns));

		if (r < 0 && errno != EINTR)
			return CUV_CHILD_CANCELLED;
		if (r < 0)
			continue;
		if (fds[0].revents)
			return 0;
		if (fds[3].revents)
			return CUV_CHILD_CANCELLED;
		if (cuv_now_ns() >= spec->deadline_ns)
			return CUV_CHILD_TIMEOUT;
		for (size_t i = PIPE_OUT; i <= PIPE_ERR; i++)
			if (fds[i + 1].revents && !take_output(spec, p->ours[i], i == PIPE_ERR, res))
				p->ours[i] = cuv_close(p->ours[i]);
	}
}

/* Kills the group while the child, maybe a zombie, still holds its number, and reaps. */
static void finish(pid_t pid, enum cuv_child_end end, struct cuv_child_result *res)
{
	struct rusage ru = {0};
	int status = 0;

	(void)kill(-pid, SIGKILL);
	(void)kill(pid, SIGKILL);
	while (wait4(pid, &status, 0, &ru) < 0 && errno == EINTR)
		;
	res->cpu_ns = (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * CUV_NS_PER_S +
		      (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000u;
	if (end != 0) {
		res->end = end;
		res->status = SIGKILL;
	} else if (WIFSIGNALED(status)) {
		res->end = CUV_CHILD_SIGNALED;
		res->status = WTERMSIG(status);
	} else {
		res->end = CUV_CHILD_EXITED;
		res->status = WEXITSTATUS(status);
	}
}

void cuv_child_result_done(struct cuv_child_result *r)
{
	cuv_buf_done(&r->out);
	cuv_buf_done(&r->err);
}

int cuv_child_run(const struct cuv_child_spec *spec, struct cuv_child_result *ret)
{
	_cleanup_(pipes_done) struct pipes p;
	_cleanup_child_result_ struct cuv_child_result res = {.out = CUV_BUF_INIT(spec->stdout_max),
							      .err = CUV_BUF_INIT(spec->stderr_max)};
	_cleanup_close_ int pidfd = -1;
	uint64_t start = cuv_now_ns();
	pid_t parent = getpid(), pid;
	enum cuv_child_end end;
	int r = pipes_init(&p);

	cuv_assert(spec->path && spec->argv && spec->argv->n > 0);
	if (r < 0)
		return r;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_main(spec, &p, parent);
	for (size_t i = 0; i < N_PIPES; i++)
		p.theirs[i] = cuv_close(p.theirs[i]);
	r = await_exec(p.ours[PIPE_FAIL]);
	if (r == 0) {
		pidfd = pidfd_open(pid, 0);
		r = pidfd < 0 ? -errno : 0;
	}
	if (r < 0) {
		finish(pid, CUV_CHILD_CANCELLED, &res);
		return r;
	}
	end = serve(spec, pidfd, &p, &res);
	if (end == 0)
		drain(spec, &p, &res);
	finish(pid, end, &res);
	res.wall_ns = cuv_now_ns() - start;
	*ret = res;
	res = CUV_CHILD_RESULT_INIT;
	return 0;
}

pid_t cuv_child_start(const struct cuv_child_spec *spec, int both_fd, int err_fd)
{
	struct cuv_child_spec with_stdin = *spec;
	_cleanup_close_ int null = -1, ours = -1, theirs = -1;
	struct pipes p = {{-1, -1, -1}, {-1, -1, -1}};
	pid_t parent = getpid(), pid;
	int ends[2], r;

	if (err_fd < 0) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (null < 0)
			return -errno;
		err_fd = null;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	ours = ends[0];
	theirs = ends[1];
	with_stdin.stdin_fd = both_fd;
	p.theirs[PIPE_OUT] = both_fd;
	p.theirs[PIPE_ERR] = err_fd;
	p.theirs[PIPE_FAIL] = theirs;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_main(&with_stdin, &p, parent);
	theirs = cuv_close(theirs);
	r = await_exec(ours);
	if (r < 0) {
		cuv_child_stop(pid);
		return r;
	}
	return pid;
}

void cuv_child_stop(pid_t pid)
{
	struct cuv_child_result unused = CUV_CHILD_RESULT_INIT;

	finish(pid, CUV_CHILD_CANCELLED, &unused);
}
