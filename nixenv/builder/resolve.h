/* SPDX-License-Identifier: MIT */
/*
 * From requirements to a lock: uv as a resolver, in a sealed child that builds
 * nothing and reads nothing but our canonical text.
 */
#ifndef CUV_BUILDER_RESOLVE_H
#define CUV_BUILDER_RESOLVE_H

#include "nixenv/builder/builder.h"
#include "nixenv/builder/direct.h"
#include "nixenv/lock.h"
#include "nixenv/requirements.h"

struct cuv_resolve {
	const struct cuv_requirements *reqs;
	const char *canonical; /* their canonical text */
	size_t canonical_len;
	const struct cuv_pinned *pinned; /* of the Python that it is for */
	const char *root;		 /* an empty folder for the child's root */
	int64_t exclude_s;		 /* nothing younger than this instant */
	uint64_t deadline_ns;
	int cancel_fd;			   /* as in cuv_child_spec */
	const struct cuv_directs *directs; /* wheels of users' addresses; NULL or empty: none */
};

/* 0 with a sealed lock; -EINVAL with err, whose line counts in the canonical text
 * (line n is reqs->items[n - 1]): REQUIREMENTS_UNRESOLVABLE, WHEEL_UNAVAILABLE,
 * HASH_MISMATCH, ENVIRONMENT_TOO_LARGE, INDEX_UNREACHABLE, RESOLVE_TIMEOUT,
 * CANCELLED, NO_SPACE or INTERNAL. No requirements at all need no resolver. */
int cuv_resolve(const struct cuv_builder *b, const struct cuv_resolve *what, struct cuv_lock *ret,
		struct cuv_error *err);

#endif
