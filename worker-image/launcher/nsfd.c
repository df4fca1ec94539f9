/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/nsfd.h"

#include "lib/base/base.h"
#include "lib/base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* linux/pidfd.h has them, where it is new enough. */
#define GET(number) _IO(0xff, number)

static const struct {
	int kind;
	unsigned long get;
	const char *file;
} kinds[] = {
	{CLONE_NEWCGROUP, GET(1), "cgroup"}, {CLONE_NEWIPC, GET(2), "ipc"}, {CLONE_NEWNS, GET(3), "mnt"},
	{CLONE_NEWNET, GET(4), "net"},	     {CLONE_NEWPID, GET(5), "pid"}, {CLONE_NEWUTS, GET(10), "uts"},
};

static int open_in_proc(int proc_fd, pid_t pid, const char *file)
{
	char path[48];
	int fd;

	if (pid > 0)
		snprintf(path, sizeof(path), "%d/ns/%s", (int)pid, file);
	else
		snprintf(path, sizeof(path), "/proc/self/ns/%s", file);
	fd = (int)cuv_sys(SYS_openat, proc_fd, path, O_RDONLY | O_CLOEXEC);
	return fd == -ENOENT ? -ESRCH : fd; /* it dies: they go first */
}

int cuv_nsfd_open(int pidfd, int kind, int proc_fd, pid_t pid)
{
	size_t i = 0;
	int fd;

	while (kinds[i].kind != kind)
		cuv_assert(++i < ARRAY_SIZE(kinds));
	/* The descriptor is closed on exec, as all that the kernel makes by itself. */
	fd = pidfd < 0 ? -EBADF : (int)cuv_sys(SYS_ioctl, pidfd, kinds[i].get, 0);
	if (fd >= 0)
		return fd;
	if (fd == -ESRCH || fd == -EACCES || fd == -EPERM)
		return fd;
	return open_in_proc(proc_fd, pid, kinds[i].file);
}
