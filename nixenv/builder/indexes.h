/* SPDX-License-Identifier: MIT */
/*
 * The indexes that requirements name. A user's text never becomes a setting of the
 * resolver: it is looked for in the operator's list (access.h), and the operator's own
 * spelling, with name and credentials, is what is used.
 */
#ifndef CUV_BUILDER_INDEXES_H
#define CUV_BUILDER_INDEXES_H

#include "nixenv/builder/settings.h"
#include "nixenv/requirements.h"

/* Whether all of them are on the list. As below. */
int cuv_indexes_check(const struct cuv_settings *s, const struct cuv_requirements *reqs, struct cuv_error *err);
/* Appends the resolver's variables ("NAME=value"): the operator's, with the default
 * index that the requirements name in place of his, and the extra ones before his. 0;
 * -EINVAL with err REQUIREMENT_UNSUPPORTED, whose line counts in the canonical text, for
 * one that is not on the list; -ENOMEM with err INTERNAL. */
int cuv_indexes_env(const struct cuv_settings *s, const struct cuv_requirements *reqs, struct cuv_strv *env,
		    struct cuv_error *err);

#endif
