/* SPDX-License-Identifier: MIT */
/* Version 1: a hierarchy for each of memory, pids, cpu, cpuacct (some joined). */
#include "worker-image/launcher/cgroup.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>

/* What page cache of earlier runs may stay charged to a slot that is used again.
 * A fuller one is renewed rather than emptied by force: that would throw the
 * image's own files out of memory. */
#define RESIDUE_BYTES_MAX (4 * CUV_MIB)
#define CHARGE_BYTES_MAX (256 * 1024) /* the kernel asks for up to 64 pages at once */
/* Buffers of connections over the loopback, which version 1 does not count as memory. All groups together take
 * them from what the kernel sets aside for TCP, a tenth of the machine's memory or so: a few runs that may
 * have as much as their memory would leave none for anybody. */
#define TCP_BYTES_MAX (32 * CUV_MIB)
#define PERIOD_US 100000u
#define QUOTA_US_MIN 1000u

static int prepare_instance(_unused_ int dir, _unused_ unsigned controllers)
{
	return 0; /* controllers are there by being mounted */
}

static int limit_memory(int dir, uint64_t bytes)
{
	int r;

	/* Memory with swap may never be below memory: lifted first, set last. */
	(void)cuv_cgroup_write(dir, "memory.memsw.limit_in_bytes", "-1");
	r = cuv_cgroup_write_u64(dir, "memory.limit_in_bytes", bytes);
	if (r < 0)
		return r;
	r = cuv_cgroup_write_u64(dir, "memory.memsw.limit_in_bytes", bytes);
	if (r < 0 && r != -ENOENT) /* a kernel that does not account for swap */
		return r;
	if (r == -ENOENT)
		(void)cuv_cgroup_write(dir, "memory.swappiness", "0");
	/* Gone from late kernels. */
	(void)cuv_cgroup_write_u64(dir, "memory.kmem.tcp.limit_in_bytes", CUV_MIN(bytes, TCP_BYTES_MAX));
	return cuv_cgroup_write(dir, "memory.max_usage_in_bytes", "0");
}

static int set_limits(struct cuv_cgroup_slot *s, const struct cuv_limits *l)
{
	int memory = cuv_cgroup_dir_of(s, CUV_CG_MEMORY), pids = cuv_cgroup_dir_of(s, CUV_CG_PIDS);
	int cpu = cuv_cgroup_dir_of(s, CUV_CG_CPU), cpuacct = cuv_cgroup_dir_of(s, CUV_CG_CPUACCT);
	int r = 0;

	if (memory >= 0) {
		r = limit_memory(memory, l->value[CUV_LIMIT_MEMORY]);
		s->memory_limit_bytes = r == 0 ? l->value[CUV_LIMIT_MEMORY] : 0;
	}
	if (r == 0 && pids >= 0)
		r = cuv_cgroup_write_u64(pids, "pids.max", l->value[CUV_LIMIT_PROCESSES]);
	if (r == 0 && cpu >= 0)
		r = cuv_cgroup_write_u64(cpu, "cpu.cfs_quota_us",
					 CUV_MAX(l->value[CUV_LIMIT_CPUS] * PERIOD_US / 1000, QUOTA_US_MIN));
	if (r == 0 && cpuacct >= 0) /* the only value it takes: starts from nothing */
		r = cuv_cgroup_write(cpuacct, "cpuacct.usage", "0");
	return r;
}

static int restart(struct cuv_cgroup_slot *s)
{
	const int memory = cuv_cgroup_dir_of(s, CUV_CG_MEMORY);

	return memory >= 0 ? cuv_cgroup_slot_write(s, memory, "memory.max_usage_in_bytes", "0") : 0;
}

static bool is_fresh(struct cuv_cgroup_slot *s)
{
	int memory = cuv_cgroup_dir_of(s, CUV_CG_MEMORY);
	uint64_t bytes;

	return memory < 0 || (cuv_cgroup_slot_read_u64(s, memory, "memory.usage_in_bytes", &bytes) == 0 &&
			      bytes <= RESIDUE_BYTES_MAX);
}

static int watch_oom(struct cuv_cgroup_slot *s, short *ret_events)
{
	_cleanup_close_ int event = -1, control = -1;
	int dir = cuv_cgroup_dir_of(s, CUV_CG_MEMORY);
	char text[32];

	if (dir < 0)
		return -1;
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	if (event < 0 || control < 0)
		return -1;
	snprintf(text, sizeof(text), "%d %d", event, control);
	if (cuv_cgroup_write(dir, "cgroup.event_control", text) < 0)
		return -1;
	*ret_events = POLLIN;
	return TAKE_FD(event);
}

/* The sum is exact; how it splits is sampled by the clock's tick on many kernels,
 * so the samples only give the proportion. */
static int read_cpu(struct cuv_cgroup_slot *s, int dir, struct cuv_cgroup_usage *u)
{
	uint64_t total, user = 0, sys = 0;
	int r = cuv_cgroup_slot_read_u64(s, dir, "cpuacct.usage", &total);

	if (r < 0)
		return r;
	(void)cuv_cgroup_slot_read_u64(s, dir, "cpuacct.usage_user", &user);
	(void)cuv_cgroup_slot_read_u64(s, dir, "cpuacct.usage_sys", &sys);
	u->cpu_user_ns = user + sys ? (uint64_t)((double)total * (double)user / (double)(user + sys)) : total;
	u->cpu_user_ns = CUV_MIN(u->cpu_user_ns, total);
	u->cpu_system_ns = total - u->cpu_user_ns;
	return 0;
}

static int read_usage(struct cuv_cgroup_slot *s, struct cuv_cgroup_usage *ret)
{
	int memory = cuv_cgroup_dir_of(s, CUV_CG_MEMORY), cpuacct = cuv_cgroup_dir_of(s, CUV_CG_CPUACCT);
	struct cuv_cgroup_usage u = {0};
	char oom[128];
	int r = 0;

	if (memory >= 0) {
		r = cuv_cgroup_slot_read_u64(s, memory, "memory.max_usage_in_bytes", &u.memory_peak_bytes);
		if (r == 0)
			r = cuv_cgroup_slot_read(s, memory, "memory.oom_control", sizeof(oom), oom);
		if (r >= 0)
			r = cuv_cgroup_find_key(oom, "oom_kill", &u.oom_kills);
		/* It has been as full as it may be. memory.failcnt would say it, but later
		 * kernels don't count there. */
		u.limit_hits =
			s->memory_limit_bytes > 0 && u.memory_peak_bytes + CHARGE_BYTES_MAX >= s->memory_limit_bytes;
	}
	if (r == 0 && cpuacct >= 0)
		r = read_cpu(s, cpuacct, &u);
	if (r == 0)
		*ret = u;
	return r;
}

const struct cuv_cgroup_ops cuv_cgroup_v1 = {
	.name = "v1",
	.prepare_instance = prepare_instance,
	.set_limits = set_limits,
	.restart = restart,
	.is_fresh = is_fresh,
	.watch_oom = watch_oom,
	.read_usage = read_usage,
};
