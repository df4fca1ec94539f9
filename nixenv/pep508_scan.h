/* SPDX-License-Identifier: MIT */
/*
 * A cursor over one logical line of a requirements file, shared by the parsers
 * of names, versions, markers and options.
 *
 * The text is printable ASCII and tabs (requirements_lines.c saw to that), so a
 * byte is a character. A parser that fails says so once with cuv_scan_fail and
 * returns what it returns; the file's layer turns the offset into a line and a
 * column. Blanks are space and tab.
 */
#ifndef CUV_PEP508_SCAN_H
#define CUV_PEP508_SCAN_H

#include "lib/base/error.h"

#define CUV_SCAN_MESSAGE_SIZE 512

struct cuv_scan {
	const char *text; /* borrowed; NUL after len */
	size_t len;
	size_t pos;
	/* The first failure; code is CUV_E_NONE before it. */
	enum cuv_error_code code;
	size_t fail_pos;
	char message[CUV_SCAN_MESSAGE_SIZE];
};

#define CUV_SCAN_INIT(string, length) ((struct cuv_scan){.text = (string), .len = (length)})

/* Records code, offset and message; returns -EINVAL. */
int cuv_scan_fail(struct cuv_scan *s, size_t pos, enum cuv_error_code code, const char *fmt, ...) _printf_(4, 5);

static inline bool cuv_scan_at_end(const struct cuv_scan *s)
{
	return s->pos >= s->len;
}

/* The character at the cursor, NUL at the end. */
static inline char cuv_scan_peek(const struct cuv_scan *s)
{
	return cuv_scan_at_end(s) ? '\0' : s->text[s->pos];
}

void cuv_scan_skip_blanks(struct cuv_scan *s);
/* Whether the text at the cursor starts with this; cuv_scan_eat passes it too. */
bool cuv_scan_looks_at(const struct cuv_scan *s, const char *what);
bool cuv_scan_eat(struct cuv_scan *s, const char *what);

/* ASCII only, whatever the locale says. */
static inline bool cuv_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool cuv_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool cuv_is_alnum(char c)
{
	return cuv_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline char cuv_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How much of a user's word a message repeats: for "%.*s". */
#define CUV_SCAN_SHOWN_MAX 60
#define CUV_SCAN_SHOWN(len) ((int)CUV_MIN((size_t)(len), (size_t)CUV_SCAN_SHOWN_MAX))

#endif
