/* SPDX-License-Identifier: MIT */
/* What the two halves of cuv_pylock_upload share: the file as a whole
 * (pylock_upload.c) and what one package comes from (pylock_source.c). */
#ifndef CUV_PYLOCK_READER_H
#define CUV_PYLOCK_READER_H

#include "nixenv/pylock_upload.h"
#include "nixenv/toml.h"

struct cuv_pylock_reader {
	const char *text;
	size_t len;
	const struct cuv_pylock_options *o;
	struct cuv_toml doc;
	struct cuv_strv extras, groups; /* what these are in markers */
	struct cuv_lock lock;
	struct cuv_error *err;
};

/* -EINVAL; the error is about this value of the file (NULL: about no place). */
int cuv_pylock_fail(struct cuv_pylock_reader *r, const json_t *at, enum cuv_error_code code, const char *fmt, ...)
	_printf_(4, 5);
/* A member's text. 0, with *ret NULL when it is not there; -EINVAL when it is no text. */
int cuv_pylock_text(struct cuv_pylock_reader *r, const json_t *table, const char *key, const char **ret);
/* The value's place counts for messages. */
static inline const json_t *cuv_pylock_place(const json_t *table, const char *key)
{
	const json_t *value = json_object_get(table, key);

	return value ? value : table;
}

/* Chooses what a package comes from and appends it to the lock. version may be
 * NULL: the wheel's name says it. */
int cuv_pylock_source(struct cuv_pylock_reader *r, const json_t *package, const char *name, const char *version);

#endif
