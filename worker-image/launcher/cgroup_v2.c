/* SPDX-License-Identifier: MIT */
/* Version 2: one hierarchy for all controllers. */
#include "worker-image/launcher/cgroup.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#define PERIOD_US 100000u
#define QUOTA_US_MIN 1000u
#define NS_PER_US 1000u

/* Controllers are handed down by name; each by itself, since one that can't be
 * had must not keep the others away. */
static int prepare_instance(int dir, unsigned controllers)
{
	int r = 0, one;

	if (controllers & CUV_CG_MEMORY) {
		one = cuv_cgroup_write(dir, "cgroup.subtree_control", "+memory");
		r = r ? r : one;
	}
	if (controllers & CUV_CG_PIDS) {
		one = cuv_cgroup_write(dir, "cgroup.subtree_control", "+pids");
		r = r ? r : one;
	}
	if (controllers & CUV_CG_CPU) {
		one = cuv_cgroup_write(dir, "cgroup.subtree_control", "+cpu");
		r = r ? r : one;
	}
	return r;
}

static int limit_memory(int dir, uint64_t bytes)
{
	int r = cuv_cgroup_write_u64(dir, "memory.max", bytes);

	if (r == 0)
		r = cuv_cgroup_write(dir, "memory.swap.max", "0");
	if (r == -ENOENT)
		r = 0; /* a kernel without swap */
	if (r == 0)
		r = cuv_cgroup_write(dir, "memory.oom.group", "1");
	return r;
}

static int set_limits(struct cuv_cgroup_slot *s, const struct cuv_limits *l)
{
	unsigned have = s->cgroups->controllers;
	char text[64];
	int r = 0;

	if (have & CUV_CG_MEMORY)
		r = limit_memory(s->dir[0], l->value[CUV_LIMIT_MEMORY]);
	if (r == 0 && (have & CUV_CG_PIDS))
		r = cuv_cgroup_write_u64(s->dir[0], "pids.max", l->value[CUV_LIMIT_PROCESSES]);
	if (r == 0 && (have & CUV_CG_CPU)) {
		uint64_t quota = CUV_MAX(l->value[CUV_LIMIT_CPUS] * PERIOD_US / 1000, QUOTA_US_MIN);

		snprintf(text, sizeof(text), "%llu %u", (unsigned long long)quota, PERIOD_US);
		r = cuv_cgroup_write(s->dir[0], "cpu.max", text);
	}
	return r;
}

/* One that is fresh has no peak to be set back. */
static int restart(struct cuv_cgroup_slot *s)
{
	(void)s;
	return 0;
}

/* The peak can't be set back on all kernels, so a cgroup serves one run; where
 * there is no peak (before 5.19), what it holds now decides. */
static bool is_fresh(struct cuv_cgroup_slot *s)
{
	uint64_t bytes;
	int r;

	if (!(s->cgroups->controllers & CUV_CG_MEMORY))
		return true;
	r = cuv_cgroup_read_u64(s->dir[0], "memory.peak", &bytes);
	if (r == -ENOENT)
		r = cuv_cgroup_read_u64(s->dir[0], "memory.current", &bytes);
	return r == 0 && bytes == 0;
}

static int watch_oom(struct cuv_cgroup_slot *s, short *ret_events)
{
	_cleanup_close_ int fd = openat(s->dir[0], "memory.events", O_RDONLY | O_CLOEXEC);
	char text[256];

	/* Reading arms the notification. */
	if (fd < 0 || pread(fd, text, sizeof(text), 0) < 0)
		return -1;
	*ret_events = POLLPRI;
	return TAKE_FD(fd);
}

static int read_usage(struct cuv_cgroup_slot *s, struct cuv_cgroup_usage *ret)
{
	struct cuv_cgroup_usage u = {0};
	int r = 0;

	if (s->cgroups->controllers & CUV_CG_MEMORY) {
		r = cuv_cgroup_read_key(s->dir[0], "memory.events", "oom_kill", &u.oom_kills);
		if (r == 0)
			r = cuv_cgroup_read_key(s->dir[0], "memory.events", "max", &u.limit_hits);
		if (r == 0 && cuv_cgroup_read_u64(s->dir[0], "memory.peak", &u.memory_peak_bytes) < 0)
			(void)cuv_cgroup_read_u64(s->dir[0], "memory.current", &u.memory_peak_bytes);
	}
	if (r == 0) /* there even without the cpu controller */
		r = cuv_cgroup_read_key(s->dir[0], "cpu.stat", "user_usec", &u.cpu_user_ns);
	if (r == 0)
		r = cuv_cgroup_read_key(s->dir[0], "cpu.stat", "system_usec", &u.cpu_system_ns);
	if (r < 0)
		return r;
	u.cpu_user_ns *= NS_PER_US;
	u.cpu_system_ns *= NS_PER_US;
	*ret = u;
	return 0;
}

const struct cuv_cgroup_ops cuv_cgroup_v2 = {
	.name = "v2",
	.prepare_instance = prepare_instance,
	.set_limits = set_limits,
	.restart = restart,
	.is_fresh = is_fresh,
	.watch_oom = watch_oom,
	.read_usage = read_usage,
};
