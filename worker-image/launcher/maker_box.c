/* SPDX-License-Identifier: MIT */
/*
 * Init of a box in a zygote. It inherits the zygote's root, image and environment
 * mounted already, and gives the box what must be its own: scratch folders, /proc,
 * and the slot's cgroup as the root of all. Then it has no right left and waits
 * for the end of its keeper's socket; with it goes whatever is in the box.
 *
 * It shares the box maker's memory, which goes on meanwhile: to copy that for a process
 * that does so little was a tenth of what a small run costs. So nothing here has an
 * errno, allocates, or writes to a variable that is not on its own stack;
 * tests/tree/shares-memory looks at all that can be called.
 */
#include "worker-image/launcher/maker.h"

#include "lib/base/fd.h"
#include "lib/base/kernel.h"
#include "lib/base/sys.h"
#include "worker-image/launcher/mounts.h"
#include "worker-image/launcher/nsfd.h"
#include "worker-image/launcher/privileges.h"
#include "worker-image/launcher/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

_noreturn_ static void fail(const struct cuv_maker_order *o, enum cuv_stage stage, int r)
{
	const struct cuv_box_event e = {.kind = CUV_BOX_FAILED, .stage = stage, .error = -r};

	(void)cuv_fdmsg_send(o->status, &e, sizeof(e), NULL, 0, 0);
	_exit(1);
}

/* A mount namespace of its own; a /proc of its own, attached to nothing yet. */
static int enter_mounts(const struct cuv_maker_order *o)
{
	/* While the box maker's is in sight: without one the kernel allows none. */
	int proc = cuv_mount_proc(), r = proc;

	if (r >= 0)
		r = (int)cuv_sys(SYS_setns, o->mounts, CLONE_NEWNS);
	if (r == 0)
		r = (int)cuv_sys(SYS_unshare, CLONE_NEWNS);
	if (r < 0)
		fail(o, CUV_STAGE_PROC, r);
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
	_cleanup_close_ int self = (int)cuv_sys(SYS_pidfd_open, 1, 0);
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

/* What the run leaves behind is nobody's to wait for. */
static int ignore_children(void)
{
	/* The kernel's structure: handler, flags, restorer, mask. */
	const unsigned long ignore[4] = {(unsigned long)SIG_IGN};

	return (int)cuv_sys(SYS_rt_sigaction, SIGCHLD, ignore, NULL, sizeof(ignore[3]));
}

/* Until the keeper's end of it is closed. */
static void wait_for_end(int status)
{
	struct pollfd p = {.fd = status, .events = 0};

	while (cuv_sys(SYS_ppoll, &p, 1, NULL, NULL, 0) < 0 || !(p.revents & (POLLHUP | POLLERR)))
		;
}

static int box_main(void *order)
{
	const struct cuv_maker_order *o = order;
	int proc, r;

	(void)cuv_sys(SYS_prctl, PR_SET_NAME, "cuvette-init");
	r = (int)cuv_sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	if (r == 0)
		r = cuv_slotns_enter(&o->pooled);
	if (r < 0)
		fail(o, CUV_STAGE_FORK, r);
	/* From inside, the slot's cgroup is the root of all; init itself stays out. */
	r = (int)cuv_sys(SYS_setns, o->cgroup_ns, CLONE_NEWCGROUP);
	if (r < 0)
		fail(o, CUV_STAGE_CGROUP, r);
	proc = enter_mounts(o);
	r = close_rest(o, proc);
	if (r < 0)
		fail(o, CUV_STAGE_CGROUP, r);
	mount_all(o, proc);
	r = ignore_children();
	if (r == 0)
		r = hand_over(o);
	if (r < 0)
		fail(o, CUV_STAGE_FORK, r);
	r = cuv_privileges_drop_all();
	if (r < 0)
		fail(o, CUV_STAGE_PRIVILEGES, r);
	wait_for_end(o->status);
	_exit(0);
}

pid_t cuv_maker_box_start(const struct cuv_maker_order *o, char *stack, int *ret_pidfd)
{
	const size_t size = CUV_MAKER_STACK_BYTES - sizeof(*o) / 64 * 64 - 64;
	struct cuv_maker_order *copy = (void *)(stack + size);

	*copy = *o;
	return cuv_kernel_clone_sharing(CLONE_NEWPID, stack, size, box_main, copy, ret_pidfd);
}
