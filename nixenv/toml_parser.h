/* SPDX-License-Identifier: MIT */
/* The reader's parts, for toml*.c only: a cursor, the values of a document, and what
 * is known of each. */
#ifndef CUV_TOML_PARSER_H
#define CUV_TOML_PARSER_H

#include "lib/base/buf.h"
#include "nixenv/toml.h"

#define CUV_TOML_KEY_MAX 256
#define CUV_TOML_STRING_MAX 65536

/* How a table or an array came about: whether a later header or key may add to it. */
enum cuv_toml_kind {
	CUV_TOML_VALUE,	  /* no table, or an inline one, or an array of values: closed */
	CUV_TOML_IMPLIED, /* [a.b] makes a */
	CUV_TOML_HEADER,  /* [a] makes a, [[a]] makes an item */
	CUV_TOML_DOTTED,  /* a.b = 1 makes a */
	CUV_TOML_TABLES,  /* [[a]] makes a */
};

struct cuv_toml_place {
	const json_t *value; /* NULL: free */
	uint32_t offset;
	enum cuv_toml_kind kind;
};

struct cuv_toml_parser {
	const char *text; /* where it begins */
	const char *at;
	const char *end;
	struct cuv_toml *doc;
	const char *reason; /* of the first error */
	bool no_memory;
};

/* -EINVAL; the first reason counts, its place is the cursor. */
int cuv_toml_fail(struct cuv_toml_parser *p, const char *reason);

char cuv_toml_peek(const struct cuv_toml_parser *p);
bool cuv_toml_accept(struct cuv_toml_parser *p, char c);
void cuv_toml_skip_blanks(struct cuv_toml_parser *p);
/* Blanks, comments and line ends; true when there was a line end. */
bool cuv_toml_skip_lines(struct cuv_toml_parser *p);
/* Letters, digits, '_' and '-'. */
bool cuv_toml_is_bare(char c);

/* A string at its opening quote; *out may hold it. One-line only unless lines. */
int cuv_toml_string(struct cuv_toml_parser *p, bool lines, struct cuv_buf *out);
/* Any value; NULL on error. */
json_t *cuv_toml_value(struct cuv_toml_parser *p, int depth);
/* key = value into table. */
int cuv_toml_pair(struct cuv_toml_parser *p, json_t *table, int depth);
/* One part of a key, without the blanks around it. */
int cuv_toml_key(struct cuv_toml_parser *p, struct cuv_buf *out);

/* Notes a new value; takes it over and returns it, NULL (freed) on error. NULL stays NULL. */
json_t *cuv_toml_note(struct cuv_toml_parser *p, json_t *value, const char *at, enum cuv_toml_kind kind);
/* What was noted, or NULL. */
struct cuv_toml_place *cuv_toml_place(const struct cuv_toml *t, const json_t *value);

#endif
