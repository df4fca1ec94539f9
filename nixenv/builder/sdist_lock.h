/* SPDX-License-Identifier: MIT */
/*
 * The wheels of a lock that was sent and that are still to be built, or are lost: from
 * source distributions, and where the operator allows these kinds (nixenv/pylock_kinds.h)
 * from commits of repositories and from archives at addresses of users'.
 */
#ifndef CUV_SDIST_LOCK_H
#define CUV_SDIST_LOCK_H

#include "nixenv/builder/make.h"
#include "nixenv/lock.h"

/* Builds them; where the lock names their hash, they must have it. Afterwards the lock is
 * sealed and not pending. 0; -EINVAL with err as cuv_sdist_build and cuv_git_fetch, and
 * LOCK_UNSUPPORTED, WHEEL_UNAVAILABLE. */
int cuv_sdist_build_lock(const struct cuv_make *m, struct cuv_lock *l, uint64_t deadline_ns, struct cuv_error *err);

#endif
