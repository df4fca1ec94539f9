/* SPDX-License-Identifier: MIT */
/*
 * A reader for the part of TOML that lock files are written in: bare and quoted
 * keys, basic and literal strings on one line, integers, booleans, dates, arrays
 * over several lines, inline tables, [tables] and [[arrays of tables]]. Dotted
 * keys, multi-line strings and floats are refused, not guessed at.
 *
 * Tables become JSON objects, dates become strings. A key given twice is an
 * error. Bounds: CUV_TOML_BYTES_MAX, nesting CUV_TOML_DEPTH_MAX.
 */
#ifndef CUV_TOML_H
#define CUV_TOML_H

#include "lib/base/base.h"

#include <jansson.h>

#define CUV_TOML_BYTES_MAX (8u * 1024u * 1024u)
#define CUV_TOML_DEPTH_MAX 8

/* What was wrong and where, for a log or a message. */
struct cuv_toml_error {
	uint32_t line; /* from 1 */
	const char *reason;
};

/* A new reference to an object in *ret. 0; -EINVAL with err set (may be NULL);
 * -ENOMEM. */
int cuv_toml_parse(const char *text, size_t len, json_t **ret, struct cuv_toml_error *err);

#endif
