/* SPDX-License-Identifier: MIT */
/* Start and stop: finding the hierarchies, clearing what the dead left, making
 * and locking the instance's own folders. */
#include "worker-image/launcher/cgroup.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "cuvette-"
#define PROC_FILE_MAX (4 * 1024 * 1024)
#define CLEAR_WAIT_MS 5000
#define LOCK_WAIT_MS 1500
#define LOCK_PAUSE_NS 10000000

bool cuv_cgroup_instance_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return len > 0 && len <= 40 && name[len] == '\0';
}

static int open_dir_at(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Kills what is in one slot's folder and removes it. */
static void clear_slot(int instance, const char *name)
{
	const struct cuv_cgroups one = {.n = 1};
	struct cuv_cgroup_slot s = {.cgroups = &one, .dir = {open_dir_at(instance, name), -1, -1, -1}};

	if (s.dir[0] >= 0 && cuv_cgroup_slot_kill(&s, CLEAR_WAIT_MS) < 0)
		cuv_log(CUV_LOG_WARNING, "cgroup-not-empty", CUV_S("slot", name));
	cuv_cgroup_slot_close(&s);
	if (unlinkat(instance, name, AT_REMOVEDIR) < 0)
		cuv_log(CUV_LOG_WARNING, "cgroup-not-removed", CUV_S("slot", name), CUV_I("errno", errno));
}

/* Slots' folders are the ones with numbers for names. */
static void clear_slots(int instance)
{
	int copy = openat(instance, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (!d) {
		cuv_close(copy);
		return;
	}
	while ((e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] && e->d_name[strspn(e->d_name, "0123456789")] == '\0')
			clear_slot(instance, e->d_name);
	closedir(d);
}

/* Removes the instances of the dead: those whose lock nobody holds. */
static void clear_stale(int parent)
{
	int copy = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (!d) {
		cuv_close(copy);
		return;
	}
	while ((e = readdir(d))) {
		_cleanup_close_ int fd = -1;

		if (e->d_type != DT_DIR || strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    !cuv_cgroup_instance_valid(e->d_name + strlen(PREFIX)))
			continue;
		fd = open_dir_at(parent, e->d_name);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
			continue;
		clear_slots(fd);
		if (unlinkat(parent, e->d_name, AT_REMOVEDIR) == 0)
			cuv_log(CUV_LOG_INFO, "stale-cgroups-removed", CUV_S("instance", e->d_name));
	}
	closedir(d);
}

/* Makes and locks our folder; -EADDRINUSE when somebody alive has it. Another launcher that clears stale ones may hold
 * the lock for a moment, or remove the folder under us: then once more. */
static int lock_instance(int parent, const char *name)
{
	uint64_t deadline = cuv_deadline_ms(LOCK_WAIT_MS);

	for (;;) {
		_cleanup_close_ int fd = -1;
		struct stat mine, named;

		if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
			return -errno;
		fd = open_dir_at(parent, name);
		if (fd < 0 && fd != -ENOENT)
			return fd;
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &mine) == 0 &&
		    fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && mine.st_ino == named.st_ino)
			return TAKE_FD(fd);
		if (cuv_now_ns() >= deadline)
			return -EADDRINUSE;
		nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
	}
}

/* Adds a hierarchy below the folder parent (taken over). */
static int add_hierarchy(struct cuv_cgroups *c, int parent, unsigned controllers)
{
	_cleanup_close_ int owned = parent;
	char name[CUV_INSTANCE_SIZE + sizeof(PREFIX)];
	int fd;

	cuv_assert(c->n < CUV_CGROUP_HIERARCHIES_MAX);
	snprintf(name, sizeof(name), PREFIX "%s", c->instance);
	clear_stale(parent);
	fd = lock_instance(parent, name);
	if (fd < 0)
		return fd;
	c->hierarchy[c->n++] = (struct cuv_cgroup_hierarchy){
		.controllers = controllers, .parent_fd = TAKE_FD(owned), .instance_fd = fd};
	c->controllers |= controllers;
	return 0;
}

static void drop_last(struct cuv_cgroups *c)
{
	struct cuv_cgroup_hierarchy *h = &c->hierarchy[--c->n];
	char name[CUV_INSTANCE_SIZE + sizeof(PREFIX)];

	snprintf(name, sizeof(name), PREFIX "%s", c->instance);
	(void)unlinkat(h->parent_fd, name, AT_REMOVEDIR);
	cuv_close(h->instance_fd);
	cuv_close(h->parent_fd);
}

/* The part of own that lies below the mounted root. */
static const char *below_root(const char *own, const char *root)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(own, root, len) != 0 || (own[len] != '/' && own[len] != '\0'))
		return "";
	own += len;
	return *own == '/' ? own + 1 : own;
}

/* Version 1: below where this process is, so that what an operator has set around
 * the service holds for its runs; where that can't be, below the mounted root. */
static int start_v1(struct cuv_cgroups *c, const struct cuv_cgroup_mount *m, const char *own_text)
{
	static const char *const names[] = {"memory", "pids", "cpu", "cpuacct"};
	char own[CUV_CGROUP_PATH_SIZE];
	_cleanup_close_ int point = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned i, new = m->controllers & ~c->controllers;
	int r, fd;

	if (!new || c->n == CUV_CGROUP_HIERARCHIES_MAX)
		return 0;
	if (point < 0)
		return -errno;
	for (i = 0; i < ARRAY_SIZE(names) - 1; i++) /* new is not empty: it is the last if none before */
		if (new &(1u << i))
			break;
	if (cuv_cgroup_find_own(own_text, names[i], sizeof(own), own) == 0 && below_root(own, m->root)[0]) {
		fd = open_dir_at(point, below_root(own, m->root));
		r = fd < 0 ? fd : add_hierarchy(c, fd, new);
		if (r == 0 || r == -EADDRINUSE)
			return r;
	}
	return add_hierarchy(c, fcntl(point, F_DUPFD_CLOEXEC, 0), new);
}

/* What a folder hands to its children. How much CPU time is used is told even
 * without the controller that limits it. */
static unsigned handed_down(int dir)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(4096);

	if (cuv_read_file(dir, "cgroup.subtree_control", &b) < 0)
		return 0;
	return cuv_cgroup_parse_controllers(cuv_buf_str(&b)) | CUV_CG_CPUACCT;
}

/* Makes our folder in dir, if that can give its children what is wanted. */
static int start_v2_at(struct cuv_cgroups *c, int dir, unsigned want)
{
	int copy, r;

	if ((handed_down(dir) & want) != want) {
		(void)cuv_cgroup_v2.prepare_instance(dir, want);
		if ((handed_down(dir) & want) != want)
			return -ENOTSUP;
	}
	copy = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	r = copy < 0 ? -errno : add_hierarchy(c, copy, want);
	if (r < 0)
		return r;
	r = cuv_cgroup_v2.prepare_instance(c->hierarchy[0].instance_fd, want);
	if (r < 0) {
		drop_last(c);
		c->controllers = 0;
	}
	return r;
}

/* Tries the folder path below point and all above it, nearest first. */
static int climb_v2(struct cuv_cgroups *c, int point, const char *path, unsigned want)
{
	char here[CUV_CGROUP_PATH_SIZE];

	snprintf(here, sizeof(here), "%s", path);
	for (;;) {
		_cleanup_close_ int dir = open_dir_at(point, here[0] ? here : ".");
		char *slash = strrchr(here, '/');
		int r = dir < 0 ? dir : start_v2_at(c, dir, want);

		if (r == 0 || r == -EADDRINUSE || !here[0])
			return r;
		*(slash ? slash : here) = '\0';
	}
}

/* Version 2: below the nearest of this process's ancestors that hands its
 * children what we want or can be made to. One that has processes itself can't
 * (the kernel's rule), so this mostly is a slice or the root. Users are often
 * given memory and pids but not cpu: better some than none. */
static int start_v2(struct cuv_cgroups *c, const struct cuv_cgroup_mount *m, const char *own_text)
{
	static const unsigned wants[] = {CUV_CG_ALL, CUV_CG_MEMORY | CUV_CG_PIDS | CUV_CG_CPUACCT,
					 CUV_CG_MEMORY | CUV_CG_CPUACCT, CUV_CG_PIDS | CUV_CG_CPUACCT};
	char own[CUV_CGROUP_PATH_SIZE] = "/";
	_cleanup_close_ int point = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;
	size_t i;

	if (point < 0)
		return -errno;
	(void)cuv_cgroup_find_own(own_text, NULL, sizeof(own), own);
	for (i = 0; i < ARRAY_SIZE(wants); i++) {
		r = climb_v2(c, point, below_root(own, m->root), wants[i]);
		if (r == 0 || r == -EADDRINUSE)
			break;
	}
	return r;
}

static int start_all(struct cuv_cgroups *c, const char *mounts, const char *own, bool v1)
{
	struct cuv_cgroup_mount m;
	const char *line;
	int r, first = 0;

	for (line = mounts; *line; line = *strchrnul(line, '\n') ? strchrnul(line, '\n') + 1 : "") {
		if (cuv_cgroup_parse_mount(line, &m) != 0 || (m.version == 1) != v1)
			continue;
		r = v1 ? start_v1(c, &m, own) : start_v2(c, &m, own);
		if (r == -EADDRINUSE)
			return r;
		if (r < 0 && !first)
			first = r;
		if (!v1)
			break;
	}
	return first;
}

int cuv_cgroups_start(const char *instance, bool privileged, struct cuv_cgroups *ret, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf mounts = CUV_BUF_INIT(PROC_FILE_MAX), own = CUV_BUF_INIT(PROC_FILE_MAX);
	struct cuv_cgroups c = CUV_CGROUPS_INIT;
	int r, v1;

	cuv_assert(cuv_cgroup_instance_valid(instance));
	snprintf(c.instance, sizeof(c.instance), "%s", instance);
	if (cuv_read_file(AT_FDCWD, "/proc/self/mountinfo", &mounts) < 0 ||
	    cuv_read_file(AT_FDCWD, "/proc/self/cgroup", &own) < 0) {
		snprintf(c.why, sizeof(c.why), "/proc can't be read");
		*ret = c;
		return 0;
	}
	r = v1 = start_all(&c, cuv_buf_str(&mounts), cuv_buf_str(&own), true);
	c.ops = &cuv_cgroup_v1;
	if (r != -EADDRINUSE && c.n == 0) {
		r = start_all(&c, cuv_buf_str(&mounts), cuv_buf_str(&own), false);
		c.ops = &cuv_cgroup_v2;
		r = v1 && r ? v1 : r;
	}
	if (r == -EADDRINUSE) {
		cuv_cgroups_stop(&c);
		cuv_error_set(err, CUV_E_UNAVAILABLE,
			      "the instance name `%s` is in use by a running launcher; give another with --instance",
			      instance);
		return r;
	}
	if (c.n == 0)
		c.ops = NULL;
	if (c.controllers != CUV_CG_ALL)
		snprintf(c.why, sizeof(c.why), "%s; %s", r < 0 ? strerror(-r) : "no such controller is mounted",
			 privileged ? "mount the controller, and let this process make cgroups"
				    : "have the user's cgroup delegated (systemd-run --user --scope -p Delegate=yes)");
	*ret = c;
	return 0;
}

void cuv_cgroups_stop(struct cuv_cgroups *c)
{
	while (c->n > 0) {
		clear_slots(c->hierarchy[c->n - 1].instance_fd);
		drop_last(c);
	}
	*c = CUV_CGROUPS_INIT;
}
