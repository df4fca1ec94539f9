/* SPDX-License-Identifier: MIT */
/* Which cgroup hierarchies there are, from /proc/self/mountinfo, and where this
 * process is in them, from /proc/self/cgroup. Texts in, values out. */
#ifndef CUV_LAUNCHER_CGROUP_MOUNTS_H
#define CUV_LAUNCHER_CGROUP_MOUNTS_H

#include "lib/base/base.h"

#define CUV_CG_MEMORY 1u
#define CUV_CG_PIDS 2u
#define CUV_CG_CPU 4u
#define CUV_CG_CPUACCT 8u
#define CUV_CG_ALL 15u

#define CUV_CGROUP_PATH_SIZE 1024

struct cuv_cgroup_mount {
	int version;			  /* 1 or 2 */
	unsigned controllers;		  /* version 1: those of ours in it; 2: not known from here */
	char root[CUV_CGROUP_PATH_SIZE];  /* which cgroup is mounted */
	char point[CUV_CGROUP_PATH_SIZE]; /* where */
};

/* One line of mountinfo (ends at \n or NUL). 0; 1 when it is no cgroup mount or
 * one without a controller of ours; -EINVAL when it can't be read. */
int cuv_cgroup_parse_mount(const char *line, struct cuv_cgroup_mount *ret);

/* Where this process is in the hierarchy that has the controller (version 1) or
 * in the one of version 2 (controller NULL). 0, or -ENOENT. */
int cuv_cgroup_find_own(const char *proc_self_cgroup, const char *controller, size_t size, char *ret_path);

/* The set named by a list like "cpuset cpu memory" (or with commas). */
unsigned cuv_cgroup_parse_controllers(const char *list);

#endif
