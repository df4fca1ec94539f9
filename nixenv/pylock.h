/* SPDX-License-Identifier: MIT */
/*
 * From a pylock.toml (PEP 751), as the resolver writes it for one platform, to a
 * lock: of each package's wheels the one that fits best.
 */
#ifndef CUV_PYLOCK_H
#define CUV_PYLOCK_H

#include "nixenv/lock.h"
#include "nixenv/python.h"
#include "nixenv/requirements.h"

#include <jansson.h>

/* Where the builder offers wheels of its own to the resolver. What was built from a
 * source distribution has no hash that anybody could have listed: the source's was
 * checked instead. */
#define CUV_PYLOCK_OFFERS "file:///offers/"

/* python is "3.11". Of a package for which reqs (may be NULL) lists hashes only the
 * wheels with one of them count. On success *ret is the caller's, sealed.
 * -EINVAL with err: WHEEL_UNAVAILABLE when a package has no wheel that fits,
 * HASH_MISMATCH when none of the listed hashes is a fitting wheel's,
 * ENVIRONMENT_TOO_LARGE, or INTERNAL for what the resolver should not have written.
 * ret_package, when not NULL, becomes the name of the package that the error is
 * about, "" where there is none; it holds CUV_NAME_LEN_MAX + 1 bytes. */
int cuv_pylock_read(const char *text, size_t len, const char *python, const struct cuv_requirements *reqs,
		    struct cuv_lock *ret, char *ret_package, struct cuv_error *err);

/* Whether one of a package's wheels, as the file lists them, fits. NULL: there are none. */
bool cuv_pylock_fits(json_t *wheels, const struct cuv_python *python);

#endif
