/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/mounts.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static int set_number(int fs, const char *key, uint64_t value, bool octal)
{
	char text[32];

	snprintf(text, sizeof(text), octal ? "%llo" : "%llu", (unsigned long long)value);
	return fsconfig(fs, FSCONFIG_SET_STRING, key, text, 0) < 0 ? -errno : 0;
}

/* Turns a configured file system context into a mount. */
static int create_mount(int fs, unsigned attr)
{
	int fd;

	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, attr);
	return fd < 0 ? -errno : fd;
}

int cuv_mount_tmpfs(const struct cuv_tmpfs *t, unsigned attr)
{
	_cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int r;

	if (fs < 0)
		return -errno;
	r = set_number(fs, "size", t->size_bytes, false);
	if (r == 0)
		r = set_number(fs, "nr_inodes", t->inodes, false);
	if (r == 0)
		r = set_number(fs, "mode", t->mode, true);
	if (r == 0)
		r = set_number(fs, "uid", t->uid, false);
	if (r == 0)
		r = set_number(fs, "gid", t->uid, false);
	return r < 0 ? r : create_mount(fs, attr);
}

int cuv_mount_proc(void)
{
	_cleanup_close_ int fs = fsopen("proc", FSOPEN_CLOEXEC);

	if (fs < 0)
		return -errno;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "invisible", 0) < 0)
		return -errno;
	return create_mount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/* What mount(2) calls them. */
_Static_assert(MOUNT_ATTR_RDONLY == MS_RDONLY && MOUNT_ATTR_NOSUID == MS_NOSUID && MOUNT_ATTR_NODEV == MS_NODEV &&
		       MOUNT_ATTR_NOEXEC == MS_NOEXEC,
	       "the attributes are the flags of mount(2)");

int cuv_mount_tmpfs_at(const char *path, const struct cuv_tmpfs *t, unsigned attr)
{
	char options[160];

	snprintf(options, sizeof(options), "size=%llu,nr_inodes=%llu,mode=%o,uid=%u,gid=%u",
		 (unsigned long long)t->size_bytes, (unsigned long long)t->inodes, (unsigned)t->mode, (unsigned)t->uid,
		 (unsigned)t->uid);
	return mount("none", path, "tmpfs", attr, options) < 0 ? -errno : 0;
}

int cuv_mount_copy(const char *path)
{
	int fd = open_tree(AT_FDCWD, path, AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int cuv_mount_copy_loose(int fd)
{
	int copy = open_tree(fd, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return copy < 0 ? -errno : copy;
}

int cuv_mount_copy_store(int store_fd, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int dir = (int)syscall(SYS_openat2, store_fd, name, &how, sizeof(how));

	return dir < 0 ? -errno : cuv_mount_copy_loose(dir);
}

int cuv_mount_move(int mount_fd, int dirfd, const char *path)
{
	return move_mount(mount_fd, "", dirfd, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

int cuv_mount_restrict(int fd, unsigned attr, bool recursive)
{
	struct mount_attr a = {.attr_set = attr};
	unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u);

	return mount_setattr(fd, "", flags, &a, sizeof(a)) < 0 ? -errno : 0;
}

int cuv_mount_pivot(const char *path)
{
	if (chdir(path) < 0)
		return -errno;
	return syscall(SYS_pivot_root, ".", ".") < 0 || chdir("/") < 0 ? -errno : 0;
}

int cuv_mount_drop_old(void)
{
	return umount2("/", MNT_DETACH) < 0 ? -errno : 0;
}
