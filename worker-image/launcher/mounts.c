/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/mounts.h"

#include "lib/base/fd.h"
#include "lib/base/sys.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>

static int set_string(int fs, const char *key, const char *value)
{
	return (int)cuv_sys(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0);
}

static int set_number(int fs, const char *key, uint64_t value, bool octal)
{
	char text[32];

	snprintf(text, sizeof(text), octal ? "%llo" : "%llu", (unsigned long long)value);
	return set_string(fs, key, text);
}

/* Turns a configured file system context into a mount. */
static int create_mount(int fs, unsigned attr)
{
	const int r = (int)cuv_sys(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);

	return r < 0 ? r : (int)cuv_sys(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr);
}

int cuv_mount_tmpfs(const struct cuv_tmpfs *t, unsigned attr)
{
	_cleanup_close_ int fs = (int)cuv_sys(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	int r;

	if (fs < 0)
		return fs;
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
	_cleanup_close_ int fs = (int)cuv_sys(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
	int r;

	if (fs < 0)
		return fs;
	r = set_string(fs, "subset", "pid");
	if (r == 0)
		r = set_string(fs, "hidepid", "invisible");
	return r < 0 ? r : create_mount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
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
	return (int)cuv_sys(SYS_mount, "none", path, "tmpfs", attr, options);
}

int cuv_mount_copy(const char *path)
{
	return (int)cuv_sys(SYS_open_tree, AT_FDCWD, path, AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

int cuv_mount_copy_loose(int fd)
{
	return (int)cuv_sys(SYS_open_tree, fd, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

int cuv_mount_copy_store(int store_fd, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int dir = (int)cuv_sys(SYS_openat2, store_fd, name, &how, sizeof(how));

	return dir < 0 ? dir : cuv_mount_copy_loose(dir);
}

int cuv_mount_move(int mount_fd, int dirfd, const char *path)
{
	return (int)cuv_sys(SYS_move_mount, mount_fd, "", dirfd, path, MOVE_MOUNT_F_EMPTY_PATH);
}

int cuv_mount_restrict(int fd, unsigned attr, bool recursive)
{
	struct mount_attr a = {.attr_set = attr};
	unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u);

	return (int)cuv_sys(SYS_mount_setattr, fd, "", flags, &a, sizeof(a));
}

int cuv_mount_pivot(const char *path)
{
	int r = (int)cuv_sys(SYS_chdir, path);

	if (r == 0)
		r = (int)cuv_sys(SYS_pivot_root, ".", ".");
	return r < 0 ? r : (int)cuv_sys(SYS_chdir, "/");
}

int cuv_mount_drop_old(void)
{
	return (int)cuv_sys(SYS_umount2, "/", MNT_DETACH);
}
