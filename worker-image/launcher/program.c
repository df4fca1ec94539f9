/* SPDX-License-Identifier: MIT */
/*
 * Pid 2 of a box: our code until the exec, and then the program. The order of the
 * steps matters: first into the cgroup, so that all that follows is charged to
 * the run; files are written with the run's own id; capabilities go after the
 * last step that needs one; the filter is last, since it denies some of them.
 */
#include "worker-image/launcher/box.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "worker-image/launcher/privileges.h"
#include "worker-image/launcher/rlimits.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES 65536

static int enter_cgroup(const struct cuv_box *box)
{
	size_t i;

	for (i = 0; i < box->n_procs; i++)
		if (write(box->procs[i], "0", 1) < 0)
			return -errno;
	/* From inside, the slot's cgroup is the root of all. */
	return unshare(CLONE_NEWCGROUP) < 0 ? -errno : 0;
}

/* Copies at most the size that was checked, whatever the file is by now. */
static int copy_file(int from, uint64_t bytes, const char *name)
{
	static char buf[COPY_BYTES]; /* one copy at a time in this process */
	_cleanup_close_ int to = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	uint64_t at = 0;

	if (to < 0)
		return -errno;
	while (at < bytes) {
		ssize_t n = pread(from, buf, CUV_MIN(bytes - at, sizeof(buf)), (off_t)at);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		r = cuv_write_all(to, buf, (size_t)n);
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
	return 0;
}

static int write_files(const struct cuv_box *box)
{
	size_t i;
	int r = 0;

	if (setresgid(CUV_BOX_INNER_UID, CUV_BOX_INNER_UID, CUV_BOX_INNER_UID) < 0 ||
	    setresuid(CUV_BOX_INNER_UID, CUV_BOX_INNER_UID, CUV_BOX_INNER_UID) < 0)
		return -errno;
	umask(022);
	if (chdir(CUV_BOX_WORK) < 0)
		return -errno;
	for (i = 0; r == 0 && i < box->run->files.n; i++)
		r = copy_file(box->files[i], box->file_bytes[i], box->run->files.items[i]);
	return r;
}

/* Streams on 0 to 2, nothing above but two ends of pipes that close by exec. */
static int connect_streams(const struct cuv_box *box, int report, int gate)
{
	int keep[] = {report, gate};

	if (dup2(box->in, 0) < 0 || dup2(box->out, 1) < 0 || dup2(box->err, 2) < 0)
		return -errno;
	return cuv_close_others(keep, ARRAY_SIZE(keep));
}

static void default_signals(void)
{
	sigset_t none;
	int s;

	for (s = 1; s < _NSIG; s++)
		(void)signal(s, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

_noreturn_ static void fail(int report, enum cuv_stage stage, int r)
{
	const struct cuv_program_report m = {.stage = stage, .error = -r};

	(void)cuv_write_all(report, &m, sizeof(m));
	_exit(127);
}

/* Waits until init has taken the host's mounts away. */
static int wait_for_gate(int gate)
{
	char byte;
	ssize_t n;

	do
		n = read(gate, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -EPIPE;
}

void cuv_program_main(const struct cuv_box *box, int report, int gate)
{
	struct cuv_program_report about = {.stage = CUV_STAGE_EXEC};
	int r;

	(void)setsid();
	r = enter_cgroup(box);
	if (r < 0)
		fail(report, CUV_STAGE_CGROUP, r);
	r = write_files(box);
	if (r < 0)
		fail(report, CUV_STAGE_FILES, r);
	r = connect_streams(box, report, gate);
	if (r < 0)
		fail(report, CUV_STAGE_STDIO, r);
	default_signals();
	r = cuv_rlimits_set(&box->run->limits);
	if (r < 0)
		fail(report, CUV_STAGE_RLIMITS, r);
	r = cuv_privileges_drop_all();
	if (r < 0)
		fail(report, CUV_STAGE_PRIVILEGES, r);
	r = cuv_seccomp_load(&box->host->filter);
	if (r < 0)
		fail(report, CUV_STAGE_SECCOMP, r);
	if (wait_for_gate(gate) < 0)
		_exit(127);
	about.at_ns = cuv_now_ns();
	r = cuv_write_all(report, &about, sizeof(about));
	if (r < 0)
		_exit(127);
	if (box->probe)
		_exit(cuv_probe_inside(box));
	execve(box->run->argv.items[0], box->run->argv.items, box->envp);
	fail(report, CUV_STAGE_EXEC, -errno);
}
