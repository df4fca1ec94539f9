/* SPDX-License-Identifier: MIT */
/* Resource limits of a run, the second line behind its cgroup. The address space
 * is never limited: numpy and others reserve far more than they use. */
#ifndef CUV_LAUNCHER_RLIMITS_H
#define CUV_LAUNCHER_RLIMITS_H

#include "lib/proto/limits.h"

#include <sys/resource.h>

struct cuv_rlimit {
	int resource; /* RLIMIT_ */
	rlim_t soft;
	rlim_t hard;
};
#define CUV_RLIMITS_N 13

/* A limit of RLIM_INFINITY processes says that other runs have the same user id, so
 * that nothing may be limited that the kernel counts by it.
 * limit_data: there is no cgroup for memory, so private memory of each process is
 * limited to the run's figure. */
void cuv_rlimits_of(const struct cuv_limits *l, bool limit_data, struct cuv_rlimit ret[CUV_RLIMITS_N]);
/* The core limit alone. The launcher sets it for itself, and with that for all that
 * it starts: the filter holds it fast, and a hard limit of 0 can't be raised in a
 * box any more. 0 or -errno. */
int cuv_rlimits_set_core(void);
/* Takes away what the kernel counts by user id, so that runs which share one (those
 * of a zygote) are not all under the host's limit together. Where that is not
 * allowed, as for an ordinary user, it stays as it was. */
void cuv_rlimits_raise_shared(void);
/* Puts the calling process under all of them. 0 or -errno. */
int cuv_rlimits_set(const struct cuv_limits *l, bool limit_data);

#endif
