/* SPDX-License-Identifier: MIT */
/*
 * The wheelhouse: one folder of wheels and source archives of whoever runs the builder
 * (CUVETTE_WHEELHOUSE), for locks that name files by a `path` or a `file:` address. A file
 * is looked for there by its name alone, no link is followed, and only a plain file counts;
 * it is used when it has the lock's sha256, as a copy that was hashed while it was written:
 * whoever may change the folder changes no environment.
 */
#ifndef CUV_BUILDER_WHEELHOUSE_H
#define CUV_BUILDER_WHEELHOUSE_H

#include "lib/base/error.h"
#include "lib/base/hash.h"

/* All borrowed. */
struct cuv_wheelhouse_copy {
	const char *folder; /* NULL: there is none */
	const char *name;
	const char *what; /* "the wheel of requests 2.31.0", for messages */
	const char *path; /* written, replaced if it is there */
	const struct cuv_sha256 *sha256;
	uint64_t bytes_max;
	uint64_t deadline_ns;
	int cancel_fd; /* readable or hung up: given up; -1: none */
};

/* 0 with the copy's size in bytes; -EINVAL with err: LOCK_UNSUPPORTED (no folder),
 * WHEEL_UNAVAILABLE (no such file), HASH_MISMATCH, ENVIRONMENT_TOO_LARGE, BUILD_TIMEOUT,
 * NO_SPACE, CANCELLED or INTERNAL. */
int cuv_wheelhouse_copy(const struct cuv_wheelhouse_copy *c, uint64_t *ret_bytes, struct cuv_error *err);

#endif
