/* SPDX-License-Identifier: MIT */
/* From the resolver's pylock.toml to the source distributions that it names. */
#ifndef CUV_SDIST_PLAN_H
#define CUV_SDIST_PLAN_H

#include "nixenv/lock.h"

/* Of the packages that are among these projects, or where those are NULL have no wheel
 * that fits, and come with a source distribution, a sealed lock of packages whose wheels are to be built. 0; -EINVAL
 * with err: WHEEL_UNAVAILABLE for one whose hash the index does not tell, ENVIRONMENT_TOO_LARGE, INTERNAL for what the
 * resolver should not have written. */
int cuv_sdist_plan_read(const char *text, size_t len, const char *python, const struct cuv_strv *projects,
			struct cuv_lock *ret, struct cuv_error *err);

#endif
