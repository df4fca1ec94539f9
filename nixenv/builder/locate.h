/* SPDX-License-Identifier: MIT */
/*
 * Where the wheels of a lock that somebody sent are fetched from. Only the hash says
 * which bytes are meant, so the configured indexes are asked first: the resolver is
 * given `name==version` and the hash, without dependencies. What an index has becomes
 * its own (origin INDEX, its address); what none has keeps the address of the lock,
 * which is a user's (origin URL).
 */
#ifndef CUV_BUILDER_LOCATE_H
#define CUV_BUILDER_LOCATE_H

#include "nixenv/builder/resolve.h"

struct cuv_locate {
	const struct cuv_pinned *pinned;
	const bool *wanted; /* for each package of the lock: its wheel has to be fetched */
	const char *work;   /* a folder of the caller's */
	uint64_t deadline_ns;
	int cancel_fd;
};

/* 0; -EINVAL with err: WHEEL_UNAVAILABLE or HASH_MISMATCH for a package that no index
 * has and that has no address, INDEX_UNREACHABLE, RESOLVE_TIMEOUT, CANCELLED, NO_SPACE or
 * INTERNAL. */
int cuv_locate_wheels(const struct cuv_builder *b, const struct cuv_locate *what, struct cuv_lock *l,
		      struct cuv_error *err);

#endif
