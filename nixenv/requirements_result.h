/* SPDX-License-Identifier: MIT */
/* The requirements of a request as they are gathered; used by requirements.c only. */
#ifndef CUV_REQUIREMENTS_RESULT_H
#define CUV_REQUIREMENTS_RESULT_H

#include "nixenv/requirements.h"

/* What a constraint has before it in the canonical form. */
#define CUV_CONSTRAINT_WORD "--constraint "

/* Empty; NULL without memory. */
struct cuv_requirements *cuv_requirements_new(void);
/* Room for one more item, or constraint, and its line; those that are there may move.
 * 0 or -ENOMEM. */
int cuv_requirements_reserve(struct cuv_requirements *r, bool constraint);
/* Sorts both lists and folds what is there twice. */
void cuv_requirements_fold(struct cuv_requirements *r);

/* Notes that the last of the items came from this offset of the first file's text.
 * 0 or -ENOMEM. */
int cuv_requirements_note(struct cuv_requirements *r, const char *text, size_t len, size_t at);

#endif
