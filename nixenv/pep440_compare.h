/* SPDX-License-Identifier: MIT */
/* The order of versions, and which of them a specifier takes (PEP 440). */
#ifndef CUV_PEP440_COMPARE_H
#define CUV_PEP440_COMPARE_H

#include "nixenv/pep440.h"
#include "nixenv/pep508_scan.h"

/* Below, equal to or above 0, local labels included. */
int cuv_version_compare(const struct cuv_version *a, const struct cuv_version *b);

/* Whether `op` with this version (of len bytes, `.*` behind it where that may be)
 * takes v, pre-releases as any other. 0 with *ret, or -EINVAL when the two are no
 * specifier. `===` is not served. */
int cuv_specifier_takes(const char *op, const char *version, size_t len, const struct cuv_version *v, bool *ret);

/* The same for specifiers separated by commas, all of which must take it; none at
 * all take everything. Reads the whole scan. 0, or -EINVAL with the failure in s. */
int cuv_specifiers_take(struct cuv_scan *s, const struct cuv_version *v, bool *ret);

#endif
