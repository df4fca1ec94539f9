/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, up to U+10FFFF.
 */
#ifndef CUV_UTF8_H
#define CUV_UTF8_H

#include "lib/base/buf.h"

/* Length (1..4) of the valid character at s, 0 when there is none in len bytes. */
size_t cuv_utf8_char_len(const char *s, size_t len);
bool cuv_utf8_valid(const char *s, size_t len);
/* Appends s with each byte that is not part of valid UTF-8 as U+FFFD (one per
 * maximal bad sequence, as Python's errors='replace'). Returns the buffer's error. */
int cuv_utf8_add_replaced(struct cuv_buf *b, const char *s, size_t len);
/* Encodes one code point (not a surrogate, <= 0x10FFFF) into dst; its length. */
size_t cuv_utf8_encode(uint32_t cp, char dst[4]);

#endif
