/* SPDX-License-Identifier: MIT */
/*
 * A control group for the builder, so that a resolver or a build that goes wild
 * takes itself down and not the host: memory and number of processes, on cgroup
 * v1 and v2. Made where the host lets us; where it doesn't, the builder's own
 * limits (rlimits, deadlines) are what is left, and `cuvette doctor` says so.
 *
 * Its folder is called cuvette_builder-<our pid>-<random> and is locked (flock) for as
 * long as we live. Folders of that name without a lock are what a killed
 * supervisor left: their processes are killed and they are removed.
 */
#ifndef CUV_CGROUP_H
#define CUV_CGROUP_H

#include "lib/base/base.h"

#define CUV_CGROUP_DIRS_MAX 2

struct cuv_cgroup_limits {
	uint64_t memory_bytes;
	uint64_t processes;
};

struct cuv_cgroup {
	char name[48];
	int parent[CUV_CGROUP_DIRS_MAX]; /* folder that ours lies in */
	int dir[CUV_CGROUP_DIRS_MAX];	 /* ours, locked */
	int procs[CUV_CGROUP_DIRS_MAX];	 /* its cgroup.procs, open for writing */
};
#define CUV_CGROUP_INIT ((struct cuv_cgroup){.parent = {-1, -1}, .dir = {-1, -1}, .procs = {-1, -1}})

/* Clears leftovers and makes the group. Returns 0 when both limits are in
 * force, 1 when at least one is not (the group may be empty: all -1). */
int cuv_cgroup_make(const struct cuv_cgroup_limits *limits, struct cuv_cgroup *ret);
/* Kills what is in it and removes it. */
void cuv_cgroup_done(struct cuv_cgroup *g);
#define _cleanup_cgroup_ _cleanup_(cuv_cgroup_done)

/* Where a controller's groups are, from the texts of /proc/self/mountinfo and
 * /proc/self/cgroup. version 1: the mount point itself; version 2: the mount
 * point and our own place below it ("" for its root). */
struct cuv_cgroup_place {
	int version;
	char point[256];
	char own[512];
};
/* 0, or -ENOENT when the host has no such controller. */
int cuv_cgroup_find(const char *mountinfo, const char *own, const char *controller, struct cuv_cgroup_place *ret);

#endif
