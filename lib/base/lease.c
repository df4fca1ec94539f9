/* SPDX-License-Identifier: MIT */
#include "lib/base/lease.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Somebody may have removed the file between our open and our lock: what we hold then
 * is nobody's any more, and the name is free or another file's. */
#define TRIES 8

static int lock(int folder, const char *name, int flags, int how)
{
	for (int i = 0; i < TRIES; i++) {
		_cleanup_close_ int fd =
			openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644);
		struct stat st;

		if (fd < 0)
			return -errno;
		if (flock(fd, how | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (fstat(fd, &st) < 0)
			return -errno;
		if (!S_ISREG(st.st_mode))
			return -EINVAL;
		if (st.st_nlink > 0)
			return TAKE_FD(fd);
	}
	return -EBUSY;
}

int cuv_lease_take(int folder, const char *name, bool make)
{
	return lock(folder, name, make ? O_RDONLY | O_CREAT : O_RDONLY, LOCK_SH);
}

int cuv_lease_seize(int folder, const char *name)
{
	return lock(folder, name, O_RDWR | O_CREAT, LOCK_EX);
}

int cuv_lease_want(int folder, const char *name, bool wanted)
{
	_cleanup_close_ int fd = openat(folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return ftruncate(fd, wanted) < 0 ? -errno : 0;
}

bool cuv_lease_is_wanted(int lease)
{
	struct stat st;

	return lease >= 0 && fstat(lease, &st) == 0 && st.st_size > 0;
}
