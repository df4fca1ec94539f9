/* SPDX-License-Identifier: MIT */
/* One comparison of a marker; used by marker.c only. */
#ifndef CUV_MARKER_TERM_H
#define CUV_MARKER_TERM_H

#include "lib/base/buf.h"
#include "nixenv/pep508_scan.h"

/* Reads `variable op "string"` (either order) and appends its normal form.
 * 0, -EINVAL with the failure in s, or -ENOMEM. */
int cuv_marker_term_parse(struct cuv_scan *s, struct cuv_buf *out);

/* Whether this word is at the cursor, with no letter, digit or _ right after. */
bool cuv_marker_looks_at_word(const struct cuv_scan *s, const char *word);

#endif
