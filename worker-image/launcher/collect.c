/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/collect.h"

#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/proto/bundle.h"
#include "worker-image/launcher/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define COLLECT_S 10
#define OVERHEAD_BYTES CUV_MIB

/* To the box's namespaces and the run's id, without any right. The user namespace was
 * made by a keeper of the same user, who for that has every right in it. */
static int enter_box(int mounts)
{
	_cleanup_close_ int user = ioctl(mounts, NS_GET_USERNS);
	const uid_t id = CUV_BOX_INNER_UID;

	if (user < 0 || setns(user, CLONE_NEWUSER) < 0 || setns(mounts, CLONE_NEWNS) < 0)
		return -errno;
	if (setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		return -errno;
	return cuv_privileges_drop_all();
}

static void limit(const struct cuv_run *run)
{
	const rlim_t bytes = run->limits.value[CUV_LIMIT_ARTIFACTS_SIZE] + OVERHEAD_BYTES;

	(void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = bytes, .rlim_max = bytes});
	(void)setrlimit(RLIMIT_CPU, &(struct rlimit){.rlim_cur = COLLECT_S, .rlim_max = COLLECT_S});
	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(COLLECT_S);
}

_noreturn_ static void collector_main(const struct cuv_keeper *k, struct cuv_bundle_writer *out, pid_t keeper)
{
	int keep[] = {out->fd, k->mount_ns}, folder;

	(void)prctl(PR_SET_NAME, "cuvette-collect");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != keeper || cuv_close_others(keep, ARRAY_SIZE(keep)) < 0)
		_exit(1);
	limit(&k->task.run);
	if (enter_box(k->mount_ns) < 0)
		_exit(2);
	/* A change of ids has taken the parent-death signal away. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    cuv_seccomp_load(&k->seat->host->filter) < 0)
		_exit(3);
	folder = open(CUV_BOX_WORK, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_exit(folder >= 0 && cuv_collect_folder(folder, &k->task.run, out) == 0 ? 0 : 4);
}

static int collect(const struct cuv_keeper *k, struct cuv_bundle_writer *out)
{
	const pid_t self = getpid();
	pid_t pid;
	int status;

	if (k->mount_ns < 0)
		return -ENOENT;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		collector_main(k, out, self);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int cuv_collect(const struct cuv_keeper *k)
{
	struct cuv_bundle_writer out = CUV_BUNDLE_WRITER_INIT;
	int r = cuv_bundle_open(&out, "artifacts");

	if (r == 0 && collect(k, &out) < 0) {
		cuv_bundle_close(&out);
		r = cuv_bundle_open(&out, "artifacts");
		if (r == 0)
			r = cuv_bundle_left(&out, CUV_LEFT_UNREADABLE, 0, "");
	}
	if (r == 0)
		r = cuv_bundle_seal(&out);
	if (r < 0)
		cuv_bundle_close(&out);
	return r < 0 ? r : out.fd;
}
