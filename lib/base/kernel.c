/* SPDX-License-Identifier: MIT */
#include "lib/base/kernel.h"

#include "lib/base/buf.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMES_MAX 512

static const struct {
	long nr;
	const char *name, *since;
} needed[] = {
	{SYS_pidfd_send_signal, "pidfd_send_signal", "5.1"},
	{SYS_open_tree, "open_tree", "5.2"},
	{SYS_move_mount, "move_mount", "5.2"},
	{SYS_fsopen, "fsopen", "5.2"},
	{SYS_fsconfig, "fsconfig", "5.2"},
	{SYS_fsmount, "fsmount", "5.2"},
	{SYS_pidfd_open, "pidfd_open", "5.3"},
	{SYS_openat2, "openat2", "5.6"},
	{SYS_close_range, "close_range", "5.9"},
	{SYS_mount_setattr, "mount_setattr", "5.12"},
};

int cuv_kernel_check(struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf names = CUV_BUF_INIT(NAMES_MAX);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(needed); i++) {
		/* Unknown flags, no descriptor, no memory: each that is there refuses. */
		if (syscall(needed[i].nr, -1L, -1L, -1L, -1L, -1L, -1L) != -1 || errno != ENOSYS)
			continue;
		if (cuv_buf_addf(&names, "%s%s (Linux %s)", names.len ? ", " : "", needed[i].name, needed[i].since) < 0)
			return -ENOMEM;
	}
	if (names.len == 0)
		return 0;
	cuv_error_set(err, CUV_E_UNAVAILABLE,
		      "the kernel does not have these calls, without which nothing can be run in a box: %s; use a "
		      "newer one or, in a "
		      "container, allow them in its seccomp profile",
		      cuv_buf_str(&names));
	return -ENOSYS;
}

pid_t cuv_kernel_clone(unsigned long flags, int *ret_pidfd)
{
	/* The third argument is the same on both architectures; later ones are not used. */
	long pid = syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, NULL, ret_pidfd, NULL, NULL);

	return pid < 0 ? -errno : (pid_t)pid;
}

pid_t cuv_kernel_clone_sharing(unsigned long flags, char *stack, size_t size, int (*main)(void *), void *order,
			       int *ret_pidfd)
{
	pid_t pid = clone(main, stack + size, (int)(flags | CLONE_VM | CLONE_PIDFD | SIGCHLD), order, ret_pidfd);

	return pid < 0 ? -errno : pid;
}

unsigned cuv_kernel_cpus(void)
{
	static unsigned cpus;

	if (cpus == 0)
		cpus = (unsigned)CUV_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
	return cpus;
}
