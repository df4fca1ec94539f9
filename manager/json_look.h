/* SPDX-License-Identifier: MIT */
/*
 * A look into JSON text where it lies: single members of it are found, and nothing is
 * allocated, unlike for a tree. The text has to be valid
 * (json_text.h); of any other something is found or nothing, within its bounds.
 */
#ifndef CUV_JSON_LOOK_H
#define CUV_JSON_LOOK_H

#include "lib/base/buf.h"

/* The text of one value, borrowed; len 0: there is none. */
struct cuv_json {
	const char *at;
	size_t len;
};

/* The value that the text begins with. */
struct cuv_json cuv_json_of(const char *text, size_t len);
/* The first member of that name (plain ASCII, as written) of an object; none when it
 * has none or is no object. */
struct cuv_json cuv_json_member(struct cuv_json object, const char *name);
/* Several of them at one go. */
void cuv_json_members(struct cuv_json object, size_t n, const char *const names[], struct cuv_json ret[]);
/* Goes on to the next item of an array, to the first when *item is none. False behind
 * the last, and of what is no array. */
bool cuv_json_next(struct cuv_json array, struct cuv_json *item);

bool cuv_json_is_array(struct cuv_json v);
bool cuv_json_is_null(struct cuv_json v);
bool cuv_json_is_string(struct cuv_json v);
/* Whether it is this string, of plain ASCII. */
bool cuv_json_is(struct cuv_json v, const char *text);
/* False for what is no integer from 0 to max. */
bool cuv_json_number(struct cuv_json v, uint64_t max, uint64_t *ret);
/* Appends what a string stands for; nothing for what is none. 0 or the buffer's error. */
int cuv_json_add_text(struct cuv_buf *b, struct cuv_json v);

#endif
