/* SPDX-License-Identifier: MIT */
/*
 * JSON written straight into a buffer, for what is too long or too frequent for a
 * tree and its dump.
 */
#ifndef CUV_JSON_WRITE_H
#define CUV_JSON_WRITE_H

#include "lib/base/buf.h"

/* Appends text, which is valid UTF-8, as a JSON string with its quotes. 0 or the
 * buffer's error. */
int cuv_json_add_string(struct cuv_buf *b, const char *text, size_t len);

#endif
