/* SPDX-License-Identifier: MIT */
/* One logical line of a requirements file; used by requirements.c only. */
#ifndef CUV_REQUIREMENTS_LINE_H
#define CUV_REQUIREMENTS_LINE_H

#include "nixenv/pep508.h"

/* Refuses what no line may hold: other characters than ASCII, backslashes.
 * 0, or -EINVAL with the failure in s. */
int cuv_requirement_line_check(struct cuv_scan *s);

/* Reads a requirement with its --hash options up to the end of the line and sets
 * all of ret but its line. Refuses URLs, paths and ${VARIABLES} with the reason.
 * ret must be zeroed; the caller releases it, also on failure.
 * 0, -EINVAL with the failure in s, or -ENOMEM. */
int cuv_requirement_line_parse(struct cuv_scan *s, struct cuv_requirement *ret);

#endif
