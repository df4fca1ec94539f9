/* SPDX-License-Identifier: MIT */
/*
 * Requirements that name a git repository: the commit that each means is fetched
 * (git.h) and built to a wheel in boxes of the launcher (sdist.h), before anything is
 * resolved. From then on it is a wheel at hand as those of direct.h.
 */
#ifndef CUV_BUILDER_REPOSITORY_H
#define CUV_BUILDER_REPOSITORY_H

#include "nixenv/builder/direct.h"
#include "nixenv/builder/git.h"
#include "nixenv/builder/make.h"

/* All borrowed. */
struct cuv_repository {
	const char *name;	  /* of the package */
	const char *version;	  /* "": whichever it says itself */
	const char *url;	  /* without git+ and ref */
	const char *ref;	  /* "": the default branch */
	const char *subdirectory; /* NULL: all of it */
};

/* Fetches one and builds its wheel into the store; ret_commit is what the ref meant. 0;
 * -EINVAL with err as cuv_git_fetch and cuv_sdist_build. */
int cuv_repository_build(const struct cuv_make *m, const struct cuv_repository *r, uint64_t deadline_ns,
			 struct cuv_sdist_wheel *ret, char ret_commit[CUV_GIT_OID_SIZE], struct cuv_error *err);

/* Adds the wheels of all repositories that the requirements name to d. 0; -EINVAL with
 * err, whose line counts in the canonical text: as cuv_git_fetch and cuv_sdist_build, and
 * WHEEL_UNAVAILABLE where nothing is built for this request. */
int cuv_repositories_build(const struct cuv_make *m, const struct cuv_requirements *reqs, uint64_t deadline_ns,
			   struct cuv_directs *d, struct cuv_error *err);

#endif
