/* SPDX-License-Identifier: MIT */
/*
 * From a source distribution to a wheel in the store: fetched by its hash, looked at
 * and built in boxes of the launcher (build_box.h), with the build requirements that
 * it names as an environment of their own, made like any other and as of the same
 * date. What was built before is not built again.
 */
#ifndef CUV_SDIST_H
#define CUV_SDIST_H

#include "nixenv/builder/make.h"
#include "nixenv/builder/sdist_record.h"
#include "nixenv/lock.h"

/* How deep source distributions may be needed to build source distributions. */
#define CUV_SDIST_DEPTH_MAX 3
/* Wheels built for one environment. */
#define CUV_SDIST_WHEELS_MAX 20

/* Whether they are built at all for this request. */
bool cuv_sdist_allowed(const struct cuv_make *m);

/* Builds the wheel of a package whose origin is a source distribution; afterwards it is
 * in the store and the index knows it. p is borrowed and not changed. 0; -EINVAL with
 * err: BUILD_FAILED, BUILD_TIMEOUT, HASH_MISMATCH, WHEEL_UNAVAILABLE (no root with a
 * compiler), UNAVAILABLE (no launcher), what the build requirements' environment fails with, CANCELLED,
 * NO_SPACE or INTERNAL. */
int cuv_sdist_build(const struct cuv_make *m, const struct cuv_locked *p, uint64_t deadline_ns,
		    struct cuv_sdist_wheel *ret, struct cuv_error *err);
/* The same from a file that is there already, whose hash is in p's origin. p may have no
 * version (""): then it is whichever the wheel says. */
int cuv_sdist_build_file(const struct cuv_make *m, const struct cuv_locked *p, const char *path, uint64_t deadline_ns,
			 struct cuv_sdist_wheel *ret, struct cuv_error *err);

/* Whether the store has a wheel, by what is known of it. */
bool cuv_sdist_wheel_at_hand(const struct cuv_builder *b, const struct cuv_sdist_wheel *w);

#endif
