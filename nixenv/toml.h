/* SPDX-License-Identifier: MIT */
/*
 * A reader for TOML 1.0, in which lock files, the resolver's settings and the
 * headers of scripts are written.
 *
 * Tables become JSON objects, dates become strings as they are written, and so do
 * the floats inf and nan. Refused beside what TOML refuses: the character U+0000,
 * integers that need more than 64 bits, and what passes the bounds: CUV_TOML_BYTES_MAX,
 * nesting CUV_TOML_DEPTH_MAX, CUV_TOML_KEYS_MAX parts in one key, CUV_TOML_VALUES_MAX
 * values, 64 KiB in a string.
 */
#ifndef CUV_TOML_H
#define CUV_TOML_H

#include "lib/base/base.h"

#include <jansson.h>

#define CUV_TOML_BYTES_MAX (8u * 1024u * 1024u)
#define CUV_TOML_DEPTH_MAX 8
#define CUV_TOML_KEYS_MAX 8
#define CUV_TOML_VALUES_MAX (256u * 1024u)

/* What was wrong and where, for a log or a message. */
struct cuv_toml_error {
	uint32_t line;	 /* from 1 */
	uint32_t column; /* from 1, in characters */
	const char *reason;
	size_t offset; /* of that place in the text, bytes */
};

struct cuv_toml_place;

/* A document, and where each of its values but booleans stands. */
struct cuv_toml {
	json_t *root;
	struct cuv_toml_place *places; /* toml_places.h */
	size_t n_places;
	size_t room;
};
#define CUV_TOML_INIT ((struct cuv_toml){0})

/* 0; -EINVAL with err set (may be NULL); -ENOMEM. ret must be empty. */
int cuv_toml_read(const char *text, size_t len, struct cuv_toml *ret, struct cuv_toml_error *err);
void cuv_toml_done(struct cuv_toml *t);
#define _cleanup_toml_ _cleanup_(cuv_toml_done)

/* Where a value of the document begins, in bytes (a table: its header); 0 when it
 * is not one of the document's. */
size_t cuv_toml_offset(const struct cuv_toml *t, const json_t *value);
/* An offset as line and column; *ret_text and *ret_len (may be NULL) become the
 * line without its end. */
void cuv_toml_locate(const char *text, size_t len, size_t offset, uint32_t *ret_line, uint32_t *ret_column,
		     const char **ret_text, size_t *ret_len);

/* As cuv_toml_read, for who does not ask for places: a new reference to the root. */
int cuv_toml_parse(const char *text, size_t len, json_t **ret, struct cuv_toml_error *err);

#endif
