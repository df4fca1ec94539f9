/* SPDX-License-Identifier: MIT */
/*
 * Whether there is memory left to begin a run with: the machine's, and that of the
 * control groups around the service. A run that is begun without takes it from
 * others, and the kernel then ends one of them.
 */
#ifndef CUV_LAUNCHER_SHORTAGE_H
#define CUV_LAUNCHER_SHORTAGE_H

#include "worker-image/launcher/cgroup.h"

#define CUV_SHORTAGE_GROUPS_MAX 8
/* Less than this is too little for one more run: an interpreter with a few modules,
 * its box, and what others need meanwhile. */
#define CUV_SHORTAGE_BYTES_MIN (32 * CUV_MIB)

struct cuv_shortage {
	int meminfo; /* the machine's; -1: not to be had */
	/* The group that the instances are made in and those around it, innermost first. */
	int group[CUV_SHORTAGE_GROUPS_MAX];
	size_t n;
	bool v1;
	uint64_t asked_ns;
	bool is_short;
};

/* Before the host's mounts are gone: the /proc that comes after them has no such file. Without
 * such groups the machine alone counts. */
void cuv_shortage_init(struct cuv_shortage *s, const char *meminfo, const struct cuv_cgroups *cgroups);
void cuv_shortage_done(struct cuv_shortage *s);

/* By the last look, unless that is a second old or saw a shortage: then by another. */
bool cuv_shortage_of_memory(struct cuv_shortage *s);
/* Looks, unless it was done within 100 ms; to be called when nobody waits for it. */
void cuv_shortage_look_ahead(struct cuv_shortage *s);

/* Pure parts. Of /proc/meminfo: bytes that can be had without swapping; UINT64_MAX
 * when it does not say. */
uint64_t cuv_shortage_available(const char *meminfo);
/* Of a group's limit, use and memory.stat: what is left, caches counted as free. */
uint64_t cuv_shortage_left(uint64_t limit, uint64_t usage, const char *stat, bool v1);

#endif
