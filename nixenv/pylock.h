/* SPDX-License-Identifier: MIT */
/*
 * From a pylock.toml (PEP 751), as the resolver writes it for one platform, to a
 * lock: of each package's wheels the one that fits best.
 */
#ifndef CUV_PYLOCK_H
#define CUV_PYLOCK_H

#include "nixenv/lock.h"

/* python is "3.11". On success *ret is the caller's, sealed. -EINVAL with err:
 * WHEEL_UNAVAILABLE when a package has no wheel that fits, ENVIRONMENT_TOO_LARGE,
 * or INTERNAL for a file that the resolver should not have written.
 * ret_package, when not NULL, is set to the name of the package that a
 * WHEEL_UNAVAILABLE is about ("" otherwise); it holds 129 bytes. */
int cuv_pylock_read(const char *text, size_t len, const char *python, struct cuv_lock *ret, char *ret_package,
		    struct cuv_error *err);

#endif
