/* SPDX-License-Identifier: MIT */
/*
 * How the manager gives up everything but serving requests over the
 * descriptors that it has. In two stages, because Landlock binds only threads
 * made after it, and the filter must come after the last thread was made:
 *
 *   early  before any thread: no_new_privs, Landlock without a single rule (no
 *          file, no TCP bind to come, no abstract socket, no signal outside),
 *          limits, empty bounding set, not dumpable
 *   late   with all threads there: ids of its own, no groups, no capabilities;
 *          then the system call filter on all threads at once
 *
 * After both, the process may read, write and close what it holds, accept
 * connections, make socket pairs and memfds, and wait. Anything else fails
 * with EPERM; tests/sandbox/as_manager.c tries it from inside.
 */
#ifndef CUV_SEAL_H
#define CUV_SEAL_H

#include "lib/base/error.h"

#include <sys/resource.h>
#include <sys/types.h>

/* descriptors: the RLIMIT_NOFILE to ask for; *ret_descriptors what was given.
 * *ret_landlock is false where the kernel has none, which only may_miss lets
 * pass. 0, or negative with err set. */
int cuv_seal_early(rlim_t descriptors, bool may_miss, rlim_t *ret_descriptors, bool *ret_landlock,
		   struct cuv_error *err);

/* uid (uid_t)-1: stay who we are. 0, or negative with err set. */
int cuv_seal_late(uid_t uid, gid_t gid, struct cuv_error *err);

/* The filter alone (seal_filter.c). 0 or -errno. */
int cuv_seal_filter(void);

#endif
