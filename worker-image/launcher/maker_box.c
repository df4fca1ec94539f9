/* SPDX-License-Identifier: MIT */
/*
 * Init of a box in a zygote. It inherits the zygote's root, image and environment
 * mounted already, and gives the box what must be its own: scratch folders, /proc,
 * and the slot's cgroup as the root of all. Then it has no right left and waits
 * for the end of its keeper's socket; with it goes whatever is in the box.
 */
#include "worker-image/launcher/maker.h"

#include "lib/base/fd.h"
#include "worker-image/launcher/mounts.h"
#include "worker-image/launcher/nsfd.h"
#include "worker-image/launcher/privileges.h"
#include "worker-image/launcher/scratch.h"
#include "worker-image/launcher/slotns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

_noreturn_ static void fail(const struct cuv_maker_order *o, enum cuv_stage stage, int r)
{
	const struct cuv_box_event e = {.kind = CUV_BOX_FAILED, .stage = stage, .error = -r};

	(void)send(o->status, &e, sizeof(e), MSG_NOSIGNAL);
	_exit(1);
}

/* A mount namespace of its own; a /proc of its own, attached to nothing yet. */
static int enter_mounts(const struct cuv_maker_order *o)
{
	/* While the box maker's is in sight: without one the kernel allows none. */
	int proc = cuv_mount_proc();

	if (proc < 0)
		fail(o, CUV_STAGE_PROC, proc);
	if (setns(o->mounts, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0)
		fail(o, CUV_STAGE_PROC, -errno);
	return proc;
}

static void mount_all(const struct cuv_maker_order *o, int proc)
{
	int r = cuv_mount_move(proc, AT_FDCWD, "/proc");
	struct cuv_limits usual;
	size_t i;

	if (r < 0)
		fail(o, CUV_STAGE_PROC, r);
	cuv_close(proc);
	cuv_limits_default(&usual);
	for (i = 0; i < CUV_SCRATCH_N; i++) {
		r = cuv_scratch_mount(i, &usual);
		if (r < 0)
			fail(o, CUV_STAGE_SCRATCH, r);
	}
}

/* What nobody else could open; the other namespaces the box maker has. */
static int hand_over(const struct cuv_maker_order *o)
{
	_cleanup_close_ int self = pidfd_open(getpid(), 0);
	_cleanup_close_ int pid_ns = cuv_nsfd_open(self, CLONE_NEWPID, -1, 0);
	_cleanup_close_ int mnt_ns = cuv_nsfd_open(self, CLONE_NEWNS, -1, 0);
	const int fds[CUV_MAKER_OWN_NAMESPACES] = {pid_ns, mnt_ns};
	const char made = 1;

	if (pid_ns < 0 || mnt_ns < 0)
		return pid_ns < 0 ? pid_ns : mnt_ns;
	return cuv_fdmsg_send(o->link, &made, sizeof(made), fds, CUV_MAKER_OWN_NAMESPACES, 0);
}

static int close_rest(const struct cuv_maker_order *o, int proc)
{
	int keep[] = {o->link, o->status, proc};

	return cuv_close_others(keep, ARRAY_SIZE(keep));
}

void cuv_maker_box_main(const struct cuv_maker_order *o)
{
	struct pollfd p = {.fd = o->status, .events = 0};
	int proc, r;

	(void)prctl(PR_SET_NAME, "cuvette-init");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail(o, CUV_STAGE_FORK, -errno);
	r = cuv_slotns_enter(o->pooled);
	if (r < 0)
		fail(o, CUV_STAGE_FORK, r);
	/* From inside, the slot's cgroup is the root of all; init itself stays out. */
	r = setns(o->cgroup_ns, CLONE_NEWCGROUP) < 0 ? -errno : 0;
	if (r < 0)
		fail(o, CUV_STAGE_CGROUP, r);
	proc = enter_mounts(o);
	r = close_rest(o, proc);
	if (r < 0)
		fail(o, CUV_STAGE_CGROUP, r);
	mount_all(o, proc);
	/* What the run leaves behind is nobody's to wait for. */
	(void)signal(SIGCHLD, SIG_IGN);
	r = hand_over(o);
	if (r < 0)
		fail(o, CUV_STAGE_FORK, r);
	r = cuv_privileges_drop_all();
	if (r < 0)
		fail(o, CUV_STAGE_PRIVILEGES, r);
	while (poll(&p, 1, -1) < 0 || !(p.revents & (POLLHUP | POLLERR)))
		;
	_exit(0);
}
