/* SPDX-License-Identifier: MIT */
#include "cli/cgroup.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "cuvette_builder-"
#define PROC_TEXT_MAX (1024 * 1024)
#define KILL_WAIT_MS 3000
#define KILL_PAUSE_NS 5000000

/* One limit: its controller, and the file in either version. */
static const struct {
	const char *controller;
	const char *v1;
	const char *v2;
} files[] = {
	{"memory", "memory.limit_in_bytes", "memory.max"},
	{"pids", "pids.max", "pids.max"},
};

/* --- finding the place --- */

static bool word_in(const char *list, size_t len, const char *word)
{
	size_t n = strlen(word);

	while (len) {
		size_t part = 0;

		while (part < len && list[part] != ',')
			part++;
		if (part == n && memcmp(list, word, n) == 0)
			return true;
		list += part;
		len -= part;
		if (len) {
			list++;
			len--;
		}
	}
	return false;
}

/* The path of the line "N:controllers:path" that has the controller; version 2's
 * line has an empty list and number 0. */
static void find_own(const char *text, const char *controller, char *ret, size_t size)
{
	snprintf(ret, size, "/");
	while (*text) {
		const char *end = strchrnul(text, '\n'), *list = memchr(text, ':', (size_t)(end - text)), *path;

		path = list ? memchr(list + 1, ':', (size_t)(end - list - 1)) : NULL;
		if (path && (controller ? word_in(list + 1, (size_t)(path - list - 1), controller) : path == list + 1))
			snprintf(ret, size, "%.*s", (int)(end - path - 1), path + 1);
		text = *end ? end + 1 : end;
	}
}

/* Fields 4 and 5 are root and mount point; after " - " come type, source and
 * options. Mount points with blanks in them (\040) are none of cgroup's. */
static bool match_mount(const char *line, size_t len, const char *controller, int version, char *root, char *point)
{
	char text[2048], type[32], options[512];
	const char *tail;

	if (len >= sizeof(text))
		return false;
	memcpy(text, line, len);
	text[len] = '\0';
	tail = strstr(text, " - ");
	if (!tail || sscanf(text, "%*s %*s %*s %255s %255s", root, point) != 2 || strchr(point, '\\') ||
	    sscanf(tail + 3, "%31s %*s %511s", type, options) != 2)
		return false;
	if (version == 2)
		return strcmp(type, "cgroup2") == 0;
	return strcmp(type, "cgroup") == 0 && word_in(options, strlen(options), controller);
}

int cuv_cgroup_find(const char *mountinfo, const char *own, const char *controller, struct cuv_cgroup_place *ret)
{
	char root[256], point[256], path[512];
	int version;

	for (version = 1; version <= 2; version++) {
		const char *line, *end;

		for (line = mountinfo; *line; line = *end ? end + 1 : end) {
			size_t n;

			end = strchrnul(line, '\n');
			if (!match_mount(line, (size_t)(end - line), controller, version, root, point))
				continue;
			*ret = (struct cuv_cgroup_place){.version = version};
			snprintf(ret->point, sizeof(ret->point), "%s", point);
			find_own(own, version == 1 ? controller : NULL, path, sizeof(path));
			n = strcmp(root, "/") == 0 ? 0 : strlen(root);
			if (strncmp(path, root, n) == 0 && path[n] == '/' && path[n + 1])
				snprintf(ret->own, sizeof(ret->own), "%s", path + n + 1);
			return 0;
		}
	}
	return -ENOENT;
}

/* --- clearing --- */

/* Kills every process in the folder until there is none; true when empty. */
static bool kill_all(int dir)
{
	uint64_t deadline = cuv_deadline_ms(KILL_WAIT_MS);

	for (;;) {
		_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(PROC_TEXT_MAX);
		const char *p;

		if (cuv_read_file(dir, "cgroup.procs", &b) < 0 || b.len == 0)
			return true;
		for (p = cuv_buf_str(&b); *p; p = *strchrnul(p, '\n') ? strchrnul(p, '\n') + 1 : "") {
			long pid = strtol(p, NULL, 10);

			/* 0: a process of another pid namespace; not ours to see. */
			if (pid > 1 && pid != getpid())
				(void)kill((pid_t)pid, SIGKILL);
		}
		if (cuv_now_ns() >= deadline)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = KILL_PAUSE_NS}, NULL);
	}
}

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

		if (e->d_type != DT_DIR || strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		fd = openat(parent, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
			continue;
		if (kill_all(fd))
			(void)unlinkat(parent, e->d_name, AT_REMOVEDIR);
	}
	closedir(d);
}

/* --- making --- */

static int write_file(int dir, const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : cuv_write_all(fd, text, strlen(text));
}

static int write_number(int dir, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return write_file(dir, name, text);
}

static void drop_dir(struct cuv_cgroup *g, size_t i)
{
	if (g->dir[i] >= 0 && kill_all(g->dir[i]))
		(void)unlinkat(g->parent[i], g->name, AT_REMOVEDIR);
	g->procs[i] = cuv_close(g->procs[i]);
	g->dir[i] = cuv_close(g->dir[i]);
	g->parent[i] = cuv_close(g->parent[i]);
}

/* Makes our folder in parent (taken over) with the limits of this version whose
 * bit is in which; 0 when all of them could be set. */
static int make_dir(struct cuv_cgroup *g, size_t i, int parent, int version, unsigned which,
		    const struct cuv_cgroup_limits *limits)
{
	const uint64_t value[] = {limits->memory_bytes, limits->processes};
	size_t k;
	int r = 0;

	g->parent[i] = parent;
	if (mkdirat(parent, g->name, 0755) < 0) {
		r = -errno;
		g->parent[i] = cuv_close(parent);
		return r;
	}
	g->dir[i] = openat(parent, g->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (g->dir[i] < 0 || flock(g->dir[i], LOCK_EX | LOCK_NB) < 0)
		r = -errno;
	for (k = 0; r == 0 && k < ARRAY_SIZE(files); k++)
		if (which & (1u << k))
			r = write_number(g->dir[i], version == 1 ? files[k].v1 : files[k].v2, value[k]);
	if (r == 0) {
		/* No swap: slower than failing. Not every kernel counts it. */
		(void)write_number(g->dir[i], "memory.swap.max", 0);
		g->procs[i] = openat(g->dir[i], "cgroup.procs", O_WRONLY | O_CLOEXEC);
		r = g->procs[i] < 0 ? -errno : 0;
	}
	if (r < 0)
		drop_dir(g, i);
	return r;
}

static int open_below(const char *point, const char *path)
{
	_cleanup_close_ int top = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (top < 0)
		return -errno;
	fd = openat(top, path[0] ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Version 2: the nearest of our ancestors that can give both controllers to a
 * child; one that holds processes can't, but for the root. */
static int make_v2(struct cuv_cgroup *g, const struct cuv_cgroup_place *place, const struct cuv_cgroup_limits *limits)
{
	char path[sizeof(place->own)];

	snprintf(path, sizeof(path), "%s", place->own);
	for (;;) {
		int dir = open_below(place->point, path);
		char *slash = strrchr(path, '/');

		if (dir >= 0) {
			clear_stale(dir);
			(void)write_file(dir, "cgroup.subtree_control", "+memory +pids");
			if (make_dir(g, 0, dir, 2, 3, limits) == 0)
				return 0;
		}
		if (!path[0])
			return 1;
		*(slash ? slash : path) = '\0';
	}
}

static int make_v1(struct cuv_cgroup *g, size_t i, const struct cuv_cgroup_place *place, unsigned which,
		   const struct cuv_cgroup_limits *limits)
{
	int dir = open_below(place->point, "");

	if (dir < 0)
		return dir;
	clear_stale(dir);
	if (make_dir(g, i, dir, 1, which, limits) == 0)
		return 0;
	dir = open_below(place->point, place->own);
	return dir < 0 ? dir : make_dir(g, i, dir, 1, which, limits);
}

int cuv_cgroup_make(const struct cuv_cgroup_limits *limits, struct cuv_cgroup *ret)
{
	_cleanup_buf_ struct cuv_buf mounts = CUV_BUF_INIT(PROC_TEXT_MAX), own = CUV_BUF_INIT(PROC_TEXT_MAX);
	struct cuv_cgroup g = CUV_CGROUP_INIT;
	struct cuv_cgroup_place place;
	char id[CUV_ID_HEX_SIZE];
	int missing = 0;
	size_t k;

	*ret = g;
	cuv_random_id(id);
	snprintf(g.name, sizeof(g.name), PREFIX "%d-%.8s", getpid(), id);
	if (cuv_read_file(AT_FDCWD, "/proc/self/mountinfo", &mounts) < 0 ||
	    cuv_read_file(AT_FDCWD, "/proc/self/cgroup", &own) < 0)
		return 1;
	for (k = 0; k < ARRAY_SIZE(files); k++) {
		if (cuv_cgroup_find(cuv_buf_str(&mounts), cuv_buf_str(&own), files[k].controller, &place) < 0) {
			missing = 1;
		} else if (place.version == 2) {
			/* One folder for both, made once. */
			missing = g.dir[0] >= 0 ? 0 : make_v2(&g, &place, limits);
		} else if (make_v1(&g, k, &place, 1u << k, limits) < 0) {
			missing = 1;
		}
	}
	*ret = g;
	return missing;
}

void cuv_cgroup_done(struct cuv_cgroup *g)
{
	size_t i;

	for (i = 0; i < CUV_CGROUP_DIRS_MAX; i++)
		drop_dir(g, i);
}
