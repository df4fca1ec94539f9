/* SPDX-License-Identifier: MIT */
/* The requirements of a request as they are gathered; used by requirements.c only. */
#ifndef CUV_REQUIREMENTS_RESULT_H
#define CUV_REQUIREMENTS_RESULT_H

#include "nixenv/requirements.h"

/* What a constraint has before it in the canonical form. */
#define CUV_CONSTRAINT_WORD "--constraint "

/* Empty, with room for as many as there may be; NULL without memory. */
struct cuv_requirements *cuv_requirements_new(void);
/* Sorts both lists and folds what is there twice. Nothing can be added from here on: they
 * have just the room that they need, for as long as a request waits. */
void cuv_requirements_fold(struct cuv_requirements *r);

/* Notes that the last of the items came from this offset of the first file's text.
 * 0 or -ENOMEM. */
int cuv_requirements_note(struct cuv_requirements *r, const char *text, size_t len, size_t at);

#endif
