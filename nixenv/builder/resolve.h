/* SPDX-License-Identifier: MIT */
/*
 * From requirements to a lock: uv as a resolver, in a sealed child that builds
 * nothing and reads nothing but our canonical text.
 *
 * It may choose source distributions, too, of which it knows what their index or their
 * own metadata says of them. To build one it could start no process: where that would
 * be needed, it fails and tells which (sdist_rounds.h).
 */
#ifndef CUV_BUILDER_RESOLVE_H
#define CUV_BUILDER_RESOLVE_H

#include "nixenv/builder/builder.h"
#include "nixenv/builder/direct.h"
#include "nixenv/builder/resolve_error.h"
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
	bool offline;			   /* what the cache says; a failure is not logged */
	const struct cuv_offer *offers;
	size_t n_offers; /* at most CUV_OFFERS_MAX */
	/* Where not NULL: gets the projects that a WHEEL_UNAVAILABLE is about, normalised. */
	struct cuv_strv *lacking;
	/* Where not NULL source distributions may be chosen; gets the one that it can't go on
	 * without, with WHEEL_UNAVAILABLE. */
	struct cuv_wanted *wanted;
};
#define CUV_OFFERS_MAX 32

/* 0 with a sealed lock; -EINVAL with err, whose line counts in the canonical text
 * (line n is reqs->items[n - 1], then come the constraints): REQUIREMENTS_UNRESOLVABLE, WHEEL_UNAVAILABLE,
 * HASH_MISMATCH, ENVIRONMENT_TOO_LARGE, INDEX_UNREACHABLE, RESOLVE_TIMEOUT,
 * CANCELLED, NO_SPACE or INTERNAL. No requirements at all need no resolver. */
int cuv_resolve(const struct cuv_builder *b, const struct cuv_resolve *what, struct cuv_lock *ret,
		struct cuv_error *err);
/* The same with source distributions among the choices. 1 when there is no lock yet,
 * because wheels are lacking: then ret_planned has the packages whose wheels are to be
 * built and offered first. what->wanted is not looked at. */
int cuv_resolve_sources(const struct cuv_builder *b, const struct cuv_resolve *what, struct cuv_lock *ret,
			struct cuv_lock *ret_planned, struct cuv_error *err);

#endif
