/* SPDX-License-Identifier: MIT */
/*
 * From the bytes of a requirements file to clean UTF-8 text: byte order marks,
 * UTF-16, PEP 263 coding comments, and no character that hides or moves others.
 */
#ifndef CUV_REQUIREMENTS_TEXT_H
#define CUV_REQUIREMENTS_TEXT_H

#include "lib/base/buf.h"
#include "lib/base/error.h"

/* Appends the file's text to out: valid UTF-8 without byte order mark, NUL and
 * control characters (tab, LF and CR excepted) and without Unicode line ends.
 * 0; -EINVAL with err set (REQUIREMENTS_ENCODING, REQUIREMENT_INVALID for a
 * control character); -ENOMEM. */
int cuv_requirements_decode(const void *data, size_t len, struct cuv_buf *out, struct cuv_error *err);

/* Sets err for the byte at offset `at` of text: counts line and column (in
 * characters, both from 1) and takes the line as excerpt. Returns -EINVAL. */
int cuv_requirements_fail_at(struct cuv_error *err, enum cuv_error_code code, const char *text, size_t len, size_t at,
			     const char *message);
/* The line that the byte at this offset is on, shortened, with stars for passwords. */
void cuv_requirements_excerpt(const char *text, size_t len, size_t at,
			      char ret[sizeof(((struct cuv_error *)NULL)->excerpt)]);
/* The column (characters, from 1) of this offset in its line. */
uint32_t cuv_requirements_column_of(const char *text, size_t len, size_t at);
/* The line (from 1) that the byte at this offset is on. LF, CR LF and CR end lines. */
uint32_t cuv_requirements_line_of(const char *text, size_t len, size_t at);

#endif
