/* SPDX-License-Identifier: MIT */
/*
 * What the resolver's message means: a stable code, a sentence of ours, the
 * requirement it is about, and the resolver's own reason without addresses,
 * paths and advice about its options.
 */
#ifndef CUV_BUILDER_RESOLVE_ERROR_H
#define CUV_BUILDER_RESOLVE_ERROR_H

#include "lib/base/error.h"
#include "nixenv/pep440.h"
#include "nixenv/requirements.h"

/* text is the resolver's stderr; python ("3.13") is what it was for, date what "as of" the
 * message says. Returns
 * -EINVAL always, with err set as cuv_resolve says. */
int cuv_resolve_error(const char *text, size_t len, const struct cuv_requirements *reqs, const char *python,
		      const char *date, struct cuv_error *err);

/* Points err at the requirement for this package, if there is one: its line in
 * the canonical text and its text as excerpt. */
void cuv_resolve_point(const struct cuv_requirements *reqs, const char *package, struct cuv_error *err);

/* The projects, normalised, of which text says that no wheel of theirs will do and a
 * source distribution might. Adds each once; at most max of them. 0 or -ENOMEM. */
int cuv_resolve_lacking(const char *text, size_t max, struct cuv_strv *ret);

/* "Failed to build `foo==1.0`", where nothing may be built: which source distribution's
 * metadata the resolver can't go on without. False when text says no such thing. */
struct cuv_wanted {
	char name[CUV_NAME_LEN_MAX + 1];
	char version[CUV_VERSION_LEN_MAX + 1];
};
bool cuv_resolve_wanted(const char *text, struct cuv_wanted *ret);

/* Appends text without what says where something lies: words that are addresses or
 * paths. */
void cuv_clean_text(struct cuv_buf *out, const char *text, size_t len);

#endif
