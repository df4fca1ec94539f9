/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/host.h"

#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "worker-image/launcher/idmap.h"
#include "worker-image/launcher/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define ROOT_BYTES (1024 * 1024)
#define ROOT_INODES 256

struct node {
	const char *name;
	unsigned major, minor;
};
static const struct node nodes[] = {
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}};

int cuv_host_enter(struct cuv_host *h, struct cuv_error *err)
{
	int r;

	h->privileged = cuv_ids_are_root();
	if (h->privileged) {
		h->many_ids = true;
		if (setgroups(0, NULL) < 0) {
			r = -errno;
			cuv_error_set(err, CUV_E_UNAVAILABLE,
				      "supplementary groups can't be dropped (%s); the launcher needs all of root's "
				      "capabilities, or to be started by an ordinary user",
				      strerror(-r));
			return r;
		}
		return 0;
	}
	r = cuv_idmap_enter_user(sizeof(h->many_ids_why), h->many_ids_why);
	if (r < 0) {
		cuv_error_set(
			err, CUV_E_UNAVAILABLE,
			"layer namespaces: no user namespace can be made (%s); allow them with sysctl "
			"user.max_user_namespaces=15000 and, where they exist, kernel.unprivileged_userns_clone=1 "
			"and kernel.apparmor_restrict_unprivileged_userns=0; in a container, allow the clone and "
			"mount calls in its seccomp profile",
			strerror(-r));
		return r;
	}
	h->many_ids = r == 0;
	if (h->many_ids && setgroups(0, NULL) < 0) /* with a single id the kernel forbids it */
		return -errno;
	return 0;
}

/* A device node of the template: made, or bound from the host's where no nodes
 * can be made (user namespaces, device cgroups). host_dev is the host's /dev. */
static int make_node(int dev, int host_dev, const struct node *n)
{
	_cleanup_close_ int fd = -1;

	if (mknodat(dev, n->name, S_IFCHR | 0666, makedev(n->major, n->minor)) == 0) {
		if (fchmodat(dev, n->name, 0666, 0) < 0)
			return -errno;
		fd = openat(dev, n->name, O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0)
			return 0;
		/* a node without the right to open it */
		if (unlinkat(dev, n->name, 0) < 0)
			return -errno;
	}
	fd = openat(dev, n->name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
	if (fd < 0)
		return -errno;
	cuv_closep(&fd);
	fd = open_tree(host_dev, n->name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return -errno;
	return cuv_mount_move(fd, dev, n->name);
}

static int make_dev(int root, int host_dev)
{
	static const char *const links[][2] = {
		{"/proc/self/fd", "fd"},
		{"/proc/self/fd/0", "stdin"},
		{"/proc/self/fd/1", "stdout"},
		{"/proc/self/fd/2", "stderr"},
	};
	const struct cuv_tmpfs t = {.size_bytes = ROOT_BYTES, .inodes = ROOT_INODES, .mode = 0755};
	_cleanup_close_ int mnt = cuv_mount_tmpfs(&t, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), dev = -1;
	size_t i;
	int r;

	if (mnt < 0)
		return mnt;
	r = cuv_mount_move(mnt, root, "dev");
	if (r < 0)
		return r;
	dev = openat(root, "dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dev < 0)
		return -errno;
	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		r = make_node(dev, host_dev, &nodes[i]);
		if (r < 0)
			return r;
	}
	for (i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i][0], dev, links[i][1]) < 0)
			return -errno;
	if (mkdirat(dev, "shm", 0755) < 0)
		return -errno;
	return cuv_mount_restrict(dev, MOUNT_ATTR_RDONLY, false);
}

static int make_dirs(int root)
{
	static const char *const dirs[] = {
		"store",      "dev",
		"proc",	      "mnt",
		"mnt/old",    "probe",
		"probe/nix",  "probe/nix/store",
		"probe/proc", "probe/dev",
		"probe/tmp",  "probe/box",
		"probe/home", "probe/home/cuvette",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdirat(root, dirs[i], 0755) < 0)
			return -errno;
	return 0;
}

/* Root may mount a fresh /proc, free of what a container masks in its own. For
 * an ordinary user it is the one that is there. */
static int clone_proc(bool privileged)
{
	int fd = privileged ? cuv_mount_proc() : -1;

	if (fd < 0)
		fd = open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	return fd < 0 ? -errno : fd;
}

/* Makes the launcher's root below a detached tmpfs and moves into it. */
static int make_root(struct cuv_host *h, const char *store_dir, const char **ret_step)
{
	const struct cuv_tmpfs t = {.size_bytes = ROOT_BYTES, .inodes = ROOT_INODES, .mode = 0755};
	_cleanup_close_ int store = -1, proc = -1, host_dev = -1, mnt = -1, root = -1;
	int r;

	*ret_step = "the store's folder can't be bound";
	store = open_tree(AT_FDCWD, store_dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (store < 0)
		return -errno;
	r = cuv_mount_restrict(store, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, true);
	if (r < 0)
		return r;
	*ret_step = "/proc can't be bound";
	proc = clone_proc(h->privileged);
	if (proc < 0)
		return proc;
	host_dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	*ret_step = "a tmpfs can't be mounted";
	mnt = cuv_mount_tmpfs(&t, MOUNT_ATTR_NOSUID);
	if (mnt < 0)
		return mnt;
	/* Any directory does as a place; what it hides is gone a moment later. */
	r = cuv_mount_move(mnt, AT_FDCWD, "/proc");
	if (r < 0)
		return r;
	root = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	r = make_dirs(root);
	if (r == 0)
		r = cuv_mount_move(store, root, "store");
	if (r == 0)
		r = cuv_mount_move(proc, root, "proc");
	*ret_step = "/dev can't be made";
	if (r == 0)
		r = make_dev(root, host_dev);
	*ret_step = "the root can't be changed";
	if (r == 0)
		r = cuv_mount_pivot("/proc");
	if (r == 0)
		r = cuv_mount_drop_old();
	if (r == 0)
		r = cuv_mount_restrict(root, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, false);
	return r;
}

int cuv_host_open_leases(struct cuv_host *h, const char *leases_dir, struct cuv_error *err)
{
	if (!leases_dir)
		return 0;
	h->leases_fd = open(leases_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (h->leases_fd < 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "--leases: %s can't be opened: %s", leases_dir,
				     strerror(errno));
	return 0;
}

static bool copies_loose(void)
{
	_cleanup_close_ int tree = cuv_mount_copy("/store");
	_cleanup_close_ int copy = tree < 0 ? tree : cuv_mount_copy_loose(tree);

	return copy >= 0;
}

int cuv_host_seal(struct cuv_host *h, const char *store_dir, struct cuv_error *err)
{
	const char *step = "no mount, network, IPC and host name namespaces can be made";
	struct stat st;
	int r = 0;

	if (stat(store_dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
		cuv_error_set(err, CUV_E_UNAVAILABLE, "--store: %s is not a folder", store_dir);
		return -ENOTDIR;
	}
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		r = -errno;
	if (r == 0)
		r = make_root(h, store_dir, &step);
	if (r < 0) {
		cuv_error_set(
			err, CUV_E_UNAVAILABLE,
			"layer root: %s (%s); the launcher needs the right to mount: root's capabilities, or user "
			"namespaces that may mount",
			step, strerror(-r));
		return r;
	}
	h->copies_loose = copies_loose();
	h->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	h->started_uid = h->privileged ? getuid() : 0;
	if (h->proc_fd < 0) {
		cuv_error_set(err, CUV_E_UNAVAILABLE, "layer root: /proc can't be opened");
		return -ENOENT;
	}
	return 0;
}

void cuv_host_done(struct cuv_host *h)
{
	cuv_close(h->proc_fd);
	cuv_seccomp_done(&h->filter);
	cuv_seccomp_done(&h->zygote_filter);
	*h = CUV_HOST_INIT;
}
