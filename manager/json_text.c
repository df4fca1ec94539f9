/* SPDX-License-Identifier: MIT */
#include "manager/json_text.h"

#include "lib/base/utf8.h"
#include "manager/json_plain.h"

#include <string.h>

struct scan {
	const char *at, *end;
	size_t depth;
	bool is_object[CUV_JSON_TEXT_DEPTH_MAX]; /* what each open bracket is of */
};

static char peek(const struct scan *s)
{
	return s->at < s->end ? *s->at : '\0';
}

static void skip_blanks(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\r' || *s->at == '\n'))
		s->at++;
}

static bool take(struct scan *s, char c)
{
	const bool there = s->at < s->end && *s->at == c;

	s->at += there;
	return there;
}

static bool word(struct scan *s, const char *w)
{
	const size_t len = strlen(w);
	const bool there = (size_t)(s->end - s->at) >= len && memcmp(s->at, w, len) == 0;

	s->at += there ? len : 0;
	return there;
}

static bool digits(struct scan *s)
{
	const char *first = s->at;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->at++;
	return s->at > first;
}

static bool number(struct scan *s)
{
	(void)take(s, '-');
	if (!take(s, '0') && !digits(s))
		return false;
	if (take(s, '.') && !digits(s))
		return false;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+'))
			(void)take(s, '-');
		return digits(s);
	}
	return true;
}

/* Four digits behind \u; -1: they are not there. */
static int hex4(struct scan *s)
{
	int value = 0;

	if (s->end - s->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		static const char known[] = "0123456789abcdefABCDEF";
		const char *found = *s->at ? strchr(known, *s->at) : NULL;

		if (!found)
			return -1;
		value = 16 * value + (int)(found - known) - (found - known >= 16 ? 6 : 0);
		s->at++;
	}
	return value;
}

static bool escape(struct scan *s)
{
	int unit;

	if (!take(s, 'u')) {
		const char c = peek(s);

		s->at += s->at < s->end;
		return c && strchr("\"\\/bfnrt", c);
	}
	unit = hex4(s);
	if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
		return false;
	if (unit < 0xd800 || unit > 0xdbff)
		return true;
	if (!word(s, "\\u"))
		return false;
	unit = hex4(s);
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Behind its first quote; bytes are known to be UTF-8. */
static bool string(struct scan *s)
{
	for (;;) {
		s->at += cuv_json_plain(s->at, (size_t)(s->end - s->at));
		if (take(s, '"'))
			return true;
		if (!take(s, '\\') || !escape(s))
			return false;
	}
}

static bool scalar(struct scan *s)
{
	switch (peek(s)) {
	case '"':
		s->at++;
		return string(s);
	case 't':
		return word(s, "true");
	case 'f':
		return word(s, "false");
	case 'n':
		return word(s, "null");
	default:
		return number(s);
	}
}

static bool name(struct scan *s)
{
	skip_blanks(s);
	if (!take(s, '"') || !string(s))
		return false;
	skip_blanks(s);
	return take(s, ':');
}

/* Closes what is complete. True when another value is to come, or nothing is open. */
static bool after_value(struct scan *s)
{
	for (skip_blanks(s); s->depth > 0; skip_blanks(s)) {
		const bool object = s->is_object[s->depth - 1];

		if (take(s, ','))
			return !object || name(s);
		if (!take(s, object ? '}' : ']'))
			return false;
		s->depth--;
	}
	return true;
}

/* A value, or what comes before its first inner one. */
static bool value(struct scan *s, bool *ret_open)
{
	bool object;

	*ret_open = false;
	skip_blanks(s);
	object = take(s, '{');
	if (!object && !take(s, '['))
		return scalar(s);
	skip_blanks(s);
	if (take(s, object ? '}' : ']'))
		return true;
	if (s->depth == CUV_JSON_TEXT_DEPTH_MAX)
		return false;
	s->is_object[s->depth++] = object;
	*ret_open = true;
	return !object || name(s);
}

bool cuv_json_text_valid(const char *text, size_t len)
{
	struct scan s = {.at = text, .end = text + len};
	bool open;

	if (!cuv_utf8_valid(text, len))
		return false;
	do {
		if (!value(&s, &open) || (!open && !after_value(&s)))
			return false;
	} while (open || s.depth > 0);
	return s.at == s.end;
}
