/* SPDX-License-Identifier: MIT */
/*
 * JSON written into a buffer. jansson's own dump hands every piece on by itself and looks at
 * each character of a string; this takes long strings by runs.
 */
#ifndef CUV_JSON_WRITE_H
#define CUV_JSON_WRITE_H

#include "lib/base/buf.h"

#include <jansson.h>

/* Appends text, which is valid UTF-8, as a JSON string with its quotes. 0 or the
 * buffer's error. */
int cuv_json_add_string(struct cuv_buf *b, const char *text, size_t len);

/* Appends a value in as few bytes as it takes, members in the order that they have; reals
 * with nine digits. 0 or the buffer's error. */
int cuv_json_add(struct cuv_buf *b, const json_t *value);

#endif
