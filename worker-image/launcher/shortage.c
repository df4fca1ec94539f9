/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/shortage.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 100
#define TRUST_MS 1000 /* a run that comes does not wait for a look while the last one is no older */
#define STAT_BYTES_MAX 16384
#define MEMINFO_BYTES 1024
#define NO_LIMIT (UINT64_C(1) << 60) /* version 1 has no word for it but a large number */

static bool is_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) < 0 || fstat(b, &y) < 0 || (x.st_ino == y.st_ino && x.st_dev == y.st_dev);
}

void cuv_shortage_init(struct cuv_shortage *s, const char *meminfo, const struct cuv_cgroups *cgroups)
{
	size_t i;
	int from = -1;

	*s = (struct cuv_shortage){.meminfo = open(meminfo, O_RDONLY | O_CLOEXEC),
				   .v1 = cgroups->ops == &cuv_cgroup_v1};
	for (i = 0; i < cgroups->n; i++)
		if (cgroups->hierarchy[i].controllers & CUV_CG_MEMORY)
			from = cgroups->hierarchy[i].parent_fd;
	while (from >= 0 && s->n < CUV_SHORTAGE_GROUPS_MAX) {
		int fd = openat(from, s->n == 0 ? "." : "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		/* The root's parent is the root, or is no group. */
		if (fd < 0 || (s->n > 0 && is_same(fd, from)) || faccessat(fd, "cgroup.procs", F_OK, 0) < 0) {
			cuv_close(fd);
			break;
		}
		s->group[s->n++] = from = fd;
	}
}

void cuv_shortage_done(struct cuv_shortage *s)
{
	while (s->n > 0)
		cuv_close(s->group[--s->n]);
	s->meminfo = cuv_close(s->meminfo);
}

uint64_t cuv_shortage_available(const char *meminfo)
{
	const char *line = strstr(meminfo, "MemAvailable:");
	unsigned long long kib;

	return line && sscanf(line, "MemAvailable: %20llu kB", &kib) == 1 ? kib * 1024 : UINT64_MAX;
}

uint64_t cuv_shortage_left(uint64_t limit, uint64_t usage, const char *stat, bool v1)
{
	uint64_t active = 0, inactive = 0, used;

	(void)cuv_cgroup_find_key(stat, v1 ? "total_active_file" : "active_file", &active);
	(void)cuv_cgroup_find_key(stat, v1 ? "total_inactive_file" : "inactive_file", &inactive);
	used = usage - CUV_MIN(active + inactive, usage);
	return limit - CUV_MIN(used, limit);
}

static uint64_t left_in(const struct cuv_shortage *s, int dir)
{
	_cleanup_buf_ struct cuv_buf stat = CUV_BUF_INIT(STAT_BYTES_MAX);
	uint64_t limit, usage;

	/* "max", or no file at all (a root): no limit */
	if (cuv_cgroup_read_u64(dir, s->v1 ? "memory.limit_in_bytes" : "memory.max", &limit) < 0 || limit >= NO_LIMIT ||
	    cuv_cgroup_read_u64(dir, s->v1 ? "memory.usage_in_bytes" : "memory.current", &usage) < 0)
		return UINT64_MAX;
	/* The sum of all its caches is only asked for where it could matter. */
	if (usage + CUV_SHORTAGE_BYTES_MIN <= limit)
		return limit - usage;
	if (cuv_read_file(dir, "memory.stat", &stat) < 0)
		return UINT64_MAX;
	return cuv_shortage_left(limit, usage, cuv_buf_str(&stat), s->v1);
}

static bool look(const struct cuv_shortage *s)
{
	char meminfo[MEMINFO_BYTES]; /* the line is one of the first */
	const ssize_t len = pread(s->meminfo, meminfo, sizeof(meminfo) - 1, 0);
	size_t i;

	meminfo[CUV_MAX(len, 0)] = '\0';
	if (cuv_shortage_available(meminfo) < CUV_SHORTAGE_BYTES_MIN)
		return true;
	for (i = 0; i < s->n; i++)
		if (left_in(s, s->group[i]) < CUV_SHORTAGE_BYTES_MIN)
			return true;
	return false;
}

static void look_after(struct cuv_shortage *s, uint64_t ms)
{
	const uint64_t now = cuv_now_ns();

	if (s->is_short || now >= s->asked_ns + ms * CUV_NS_PER_MS) {
		s->is_short = look(s);
		s->asked_ns = now;
	}
}

bool cuv_shortage_of_memory(struct cuv_shortage *s)
{
	look_after(s, TRUST_MS);
	return s->is_short;
}

void cuv_shortage_look_ahead(struct cuv_shortage *s)
{
	look_after(s, LOOK_MS);
}
