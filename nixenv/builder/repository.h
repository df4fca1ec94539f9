/* SPDX-License-Identifier: MIT */
/*
 * Requirements that name a git repository: the commit that each means is fetched
 * (git.h) and built to a wheel in boxes of the launcher (sdist.h), before anything is
 * resolved. From then on it is a wheel at hand as those of direct.h.
 */
#ifndef CUV_BUILDER_REPOSITORY_H
#define CUV_BUILDER_REPOSITORY_H

#include "nixenv/builder/direct.h"
#include "nixenv/builder/make.h"

/* Adds the wheels of all repositories that the requirements name to d. 0; -EINVAL with
 * err, whose line counts in the canonical text: as cuv_git_fetch and cuv_sdist_build, and
 * WHEEL_UNAVAILABLE where nothing is built for this request. */
int cuv_repositories_build(const struct cuv_make *m, const struct cuv_requirements *reqs, uint64_t deadline_ns,
			   struct cuv_directs *d, struct cuv_error *err);

#endif
