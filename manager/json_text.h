/* SPDX-License-Identifier: MIT */
/*
 * Whether bytes are JSON that may be put into an answer as they are. What a program
 * returned is passed on this way, because numbers of any length and any number of
 * values are JSON, which no tree of ours could hold.
 */
#ifndef CUV_JSON_TEXT_H
#define CUV_JSON_TEXT_H

#include "lib/base/base.h"

#define CUV_JSON_TEXT_DEPTH_MAX 512

/* One value in the grammar of RFC 8259, in UTF-8, without lone surrogates, nesting at
 * most so deep. Takes no memory and time in proportion to len. */
bool cuv_json_text_valid(const char *text, size_t len);

#endif
