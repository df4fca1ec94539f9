/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/seal.h"

#include "lib/base/fd.h"
#include "lib/base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_LAST 63

/* Makes the folders above a path, given relative to the new root (the cwd). */
static int make_parents(const char *path)
{
	char folder[PATH_MAX];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - path);

		if (len >= sizeof(folder))
			return -ENAMETOOLONG;
		memcpy(folder, path, len);
		folder[len] = '\0';
		if (mkdir(folder, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int write_file(const struct cuv_seal_file *f)
{
	const char *path = f->target + 1;
	_cleanup_close_ int fd = -1;
	int r = make_parents(path);

	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : cuv_write_all(fd, f->data, f->len);
}

static int make_target(const char *path, bool folder)
{
	_cleanup_close_ int fd = -1;
	int r = make_parents(path);

	if (r < 0)
		return r;
	/* It may lie in what is bound read-only already. */
	if (access(path, F_OK) == 0)
		return 0;
	if (folder)
		return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : 0;
}

static int bind_one(const struct cuv_seal_bind *b)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID};
	_cleanup_close_ int tree = open_tree(AT_FDCWD, b->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct stat st;
	int r;

	if (tree < 0)
		return b->optional && errno == ENOENT ? 0 : -errno;
	if (fstat(tree, &st) < 0)
		return -errno;
	r = make_target(b->target + 1, S_ISDIR(st.st_mode));
	if (r < 0)
		return r;
	if (!(b->rights & CUV_LANDLOCK_WRITE))
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (!S_ISCHR(st.st_mode))
		attr.attr_set |= MOUNT_ATTR_NODEV;
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	if (move_mount(tree, "", AT_FDCWD, b->target + 1, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

/* What is written there ends with the child, and is bounded. */
static int mount_scratch(const struct cuv_seal *s, const char *options)
{
	const char *path = s->scratch + 1;
	int r = make_target(path, true);

	return r < 0 ? r : mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0 ? -errno : 0;
}

static int enter_root(const struct cuv_seal *s)
{
	char options[64];
	int r;

	(void)snprintf(options, sizeof(options), "mode=0755,size=%llu", (unsigned long long)s->size_bytes);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
	    mount("tmpfs", s->root, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0 || chdir(s->root) < 0)
		return -errno;
	for (size_t i = 0; i < s->n_binds; i++)
		if ((r = bind_one(&s->binds[i])) < 0)
			return r;
	if (s->scratch && (r = mount_scratch(s, options)) < 0)
		return r;
	for (size_t i = 0; i < s->n_files; i++)
		if ((r = write_file(&s->files[i])) < 0)
			return r;
	for (size_t i = 0; i < s->n_links; i++)
		if (symlink(s->links[i].target, s->links[i].path + 1) < 0)
			return -errno;
	if ((r = make_target(s->cwd + 1, true)) < 0)
		return r;
	/* The old root is stacked below the new one, and let go. */
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir(s->cwd) < 0)
		return -errno;
	return 0;
}

static int allow_all(const struct cuv_seal *s)
{
	_cleanup_landlock_ struct cuv_landlock l;
	int r = cuv_landlock_init(&l, CUV_LANDLOCK_SCOPE);

	for (size_t i = 0; r == 0 && i < s->n_binds; i++) {
		r = cuv_landlock_allow(&l, s->binds[i].target, s->binds[i].rights);
		if (r == -ENOENT && s->binds[i].optional)
			r = 0;
	}
	for (size_t i = 0; r == 0 && i < s->n_files; i++)
		r = cuv_landlock_allow(&l, s->files[i].target, CUV_LANDLOCK_READ);
	if (r == 0 && s->loader)
		r = cuv_landlock_allow(&l, s->loader, CUV_LANDLOCK_READ | CUV_LANDLOCK_EXEC);
	if (r == 0 && s->listable)
		r = cuv_landlock_allow(&l, s->listable, CUV_LANDLOCK_READ);
	if (r == 0)
		r = cuv_landlock_allow(&l, s->cwd, CUV_LANDLOCK_READ | CUV_LANDLOCK_WRITE);
	return r == 0 ? cuv_landlock_restrict(&l) : r;
}

/* Uid 0 of the user namespace must not get them back at exec either. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
					     SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED) < 0)
		return -errno;
	for (unsigned long cap = 0; cap <= CAP_LAST; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return -errno;
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int cuv_seal_enter(const struct cuv_seal *s)
{
	int r = enter_root(s);

	if (r == 0 && s->landlock)
		r = allow_all(s);
	return r < 0 ? r : drop_capabilities();
}
