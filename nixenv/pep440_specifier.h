/* SPDX-License-Identifier: MIT */
/*
 * Version specifiers: `>=1.0, !=1.3.*, <2` and their normal form
 * `!=1.3.*,<2,>=1`.
 */
#ifndef CUV_PEP440_SPECIFIER_H
#define CUV_PEP440_SPECIFIER_H

#include "lib/base/buf.h"
#include "nixenv/pep508_scan.h"

/* Most specifiers in one requirement. */
#define CUV_SPECIFIERS_MAX 32

/* The operator at the cursor (longest match, cursor passed), NULL when there is
 * none; a static string. */
const char *cuv_specifier_operator(struct cuv_scan *s);

/* Checks that `op` may stand before this version and appends both in normal
 * form; out may be NULL. 0; CUV_E_REQUIREMENT_INVALID or CUV_E_TOO_LARGE with a
 * static reason (a clause without subject: "is not …"); -ENOMEM. */
int cuv_specifier_normalize(const char *op, const char *version, size_t len, struct cuv_buf *out,
			    const char **ret_reason);

/* Reads specifiers separated by commas (a last comma is allowed) until
 * something else comes, and appends the sorted normal form without repetitions.
 * 0, -EINVAL with the failure in s, or -ENOMEM. */
int cuv_specifiers_parse(struct cuv_scan *s, struct cuv_buf *out);

#endif
