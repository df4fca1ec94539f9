/* SPDX-License-Identifier: MIT */
/*
 * From requirements to a lock: uv as a resolver, in a sealed child that builds
 * nothing and reads nothing but our canonical text.
 *
 * Where no wheel fits, a *plan* tells which source distributions would do: for the
 * projects that are named uv may choose those, and is told that they depend on
 * nothing, so that it has no reason to build one (sdist_rounds.h).
 */
#ifndef CUV_BUILDER_RESOLVE_H
#define CUV_BUILDER_RESOLVE_H

#include "nixenv/builder/builder.h"
#include "nixenv/builder/direct.h"
#include "nixenv/lock.h"
#include "nixenv/requirements.h"
#include "nixenv/wheel.h"

#include <limits.h>

/* A wheel that is offered beside those of the index. */
struct cuv_offer {
	char path[PATH_MAX];
	char file[CUV_WHEEL_FILE_MAX + 1];
	struct cuv_sha256 sha256;
};

struct cuv_resolve {
	const struct cuv_requirements *reqs;
	const char *canonical; /* their canonical text, constraints apart */
	size_t canonical_len;
	const char *constraints; /* the constraints', in the same form */
	size_t constraints_len;
	const struct cuv_pinned *pinned; /* of the Python that it is for */
	const char *root;		 /* an empty folder for the child's root */
	int64_t exclude_s;		 /* nothing younger than this instant */
	uint64_t deadline_ns;
	int cancel_fd;			   /* as in cuv_child_spec */
	const struct cuv_directs *directs; /* wheels of users' addresses; NULL or empty: none */
	bool no_deps;			   /* only what is named, not what that needs */
	const struct cuv_offer *offers;
	size_t n_offers; /* at most CUV_OFFERS_MAX */
	/* Where not NULL: gets the projects that a WHEEL_UNAVAILABLE is about, normalised. */
	struct cuv_strv *lacking;
};
#define CUV_OFFERS_MAX 32

/* 0 with a sealed lock; -EINVAL with err, whose line counts in the canonical text
 * (line n is reqs->items[n - 1], then come the constraints): REQUIREMENTS_UNRESOLVABLE, WHEEL_UNAVAILABLE,
 * HASH_MISMATCH, ENVIRONMENT_TOO_LARGE, INDEX_UNREACHABLE, RESOLVE_TIMEOUT,
 * CANCELLED, NO_SPACE or INTERNAL. No requirements at all need no resolver. */
int cuv_resolve(const struct cuv_builder *b, const struct cuv_resolve *what, struct cuv_lock *ret,
		struct cuv_error *err);
/* A plan: the projects among these that uv would take as source distributions, as
 * packages whose wheels are to be built. As above. */
int cuv_resolve_plan(const struct cuv_builder *b, const struct cuv_resolve *what, const struct cuv_strv *projects,
		     struct cuv_lock *ret, struct cuv_error *err);

#endif
