/* SPDX-License-Identifier: MIT */
/* What the unit tests of the requirements grammar share. */
#ifndef CUV_REQUIREMENTS_TEST_H
#define CUV_REQUIREMENTS_TEST_H

#include "nixenv/requirements.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Parses and fails the test when that is refused; the caller frees. */
static inline struct cuv_requirements *parse_bytes(const char *data, size_t len)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_requirements *r = NULL;

	if (cuv_requirements_parse(data, len, &r, &err))
		fail_msg("`%.*s` is refused at %u:%u: %s", (int)len, data, err.line, err.column, err.message);
	return r;
}

static inline struct cuv_requirements *parse_text(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static inline void assert_canonical_bytes(const char *data, size_t len, const char *expected)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = parse_bytes(data, len);
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);

	assert_int_equal(cuv_requirements_canonical(r, &text), 0);
	assert_string_equal(cuv_buf_str(&text), expected);
}

/* The canonical form, and that it is its own. */
static inline void assert_canonical(const char *input, const char *expected)
{
	assert_canonical_bytes(input, strlen(input), expected);
	assert_canonical_bytes(expected, strlen(expected), expected);
}

/* Refused with this code at this place (0:0: about no place), and with these
 * words in the message. */
static inline void assert_refused_bytes(const char *data, size_t len, enum cuv_error_code code, uint32_t line,
					uint32_t column, const char *words)
{
	struct cuv_requirements *r = (struct cuv_requirements *)(uintptr_t)0x1;
	struct cuv_error err = CUV_ERROR_INIT;

	if (cuv_requirements_parse(data, len, &r, &err) == 0) {
		cuv_requirements_free(r);
		fail_msg("`%.*s` is accepted", (int)len, data);
	}
	assert_ptr_equal(r, (void *)(uintptr_t)0x1); /* outputs are set on success only */
	if (err.code != code || err.line != line || err.column != column || !strstr(err.message, words))
		fail_msg("`%.*s`: expected %s at %u:%u with `%s`, got %s at %u:%u: %s", (int)len, data,
			 cuv_error_name(code), line, column, words, cuv_error_name(err.code), err.line, err.column,
			 err.message);
}

static inline void assert_refused(const char *text, enum cuv_error_code code, uint32_t line, uint32_t column,
				  const char *words)
{
	assert_refused_bytes(text, strlen(text), code, line, column, words);
}

#endif
