/* SPDX-License-Identifier: MIT */
#include "manager/ruff/guard.h"

#include "lib/base/utf8.h"

#include <string.h>

/* ruff 0.17.5 ends at 80 blocks, 850 lambdas or 1,950 brackets one in another,
 * and takes more than 150 ms for 95 assignments in one statement, 1,100 `not` in
 * a row, 5,000 short statements in one line: well below all of these. */
#define BLOCKS_MAX 40
#define BRACKETS_MAX 100
#define SEGMENT_MAX 1200 /* letters and signs of an expression without a comma or an end */
#define EQUALS_MAX 24	 /* in such a segment */
#define LINE_BYTES_MAX 4096
#define LINES_MAX 4000

struct look {
	size_t indents[BLOCKS_MAX]; /* widths, one in another */
	size_t blocks, brackets, segment, equals, line, lines;
	char quote; /* of the string that we are in; 0: none */
	bool triple, comment;
	bool goes_on; /* the string does, behind the backslash that ends this line */
};

/* A line that begins: how deep its block is. */
static bool enter_line(struct look *l, const char *at, const char *end)
{
	size_t width = 0;

	l->line = 0;
	l->comment = false;
	if (++l->lines > LINES_MAX)
		return false;
	if (l->quote || l->brackets > 0)
		return true;
	while (at + width < end && (at[width] == ' ' || at[width] == '\t' || at[width] == '\f'))
		width++;
	if (at + width == end || strchr("\n\r#", at[width]))
		return true;
	while (l->blocks > 0 && l->indents[l->blocks - 1] >= width)
		l->blocks--;
	if (l->blocks == BLOCKS_MAX)
		return false;
	l->indents[l->blocks++] = width;
	return true;
}

static bool is_triple(const char *at, const char *end)
{
	return end - at >= 3 && at[1] == at[0] && at[2] == at[0];
}

/* In a string: how many bytes are passed over. The end of a line is never passed
 * over with something else: the caller has to see it. */
static size_t step_string(struct look *l, const char *at, const char *end)
{
	const bool ends = *at == '\n' || *at == '\r', goes_on = l->goes_on;

	l->goes_on = goes_on && *at == '\r';
	if (*at == '\\' && end - at >= 2) {
		l->goes_on = at[1] == '\n' || at[1] == '\r';
		return l->goes_on ? 1 : 2;
	}
	if (*at == l->quote && l->triple && is_triple(at, end)) {
		l->quote = 0;
		return 3;
	}
	if (!l->triple && (*at == l->quote || (ends && !goes_on)))
		l->quote = 0;
	return 1;
}

/* Outside of strings and comments. */
static size_t step_code(struct look *l, const char *at, const char *end, bool continued)
{
	switch (*at) {
	case '(':
	case '[':
	case '{':
		l->brackets++;
		break;
	case ')':
	case ']':
	case '}':
		l->brackets -= l->brackets > 0;
		break;
	case '=':
		l->equals++;
		break;
	case '#':
		l->comment = true;
		break;
	case '"':
	case '\'':
		l->quote = *at;
		l->triple = is_triple(at, end);
		return l->triple ? 3 : 1;
	case '\n':
	case '\r':
		/* In brackets, and behind a backslash, a statement goes on. */
		if (continued || l->brackets > 0)
			break;
		l->segment = l->equals = 0;
		break;
	case ',':
	case ';':
		l->segment = l->equals = 0;
		break;
	case ' ':
	case '\t':
		break;
	default:
		l->segment++;
		break;
	}
	return 1;
}

/* What opens, ends or changes nothing, as most does: how many bytes of it there are. */
static size_t step_plain(struct look *l, const char *at, const char *end)
{
	/* Without the blanks, which are no part of a segment. */
	static const bool is_sign[256] = {
		['\n'] = true, ['\r'] = true, ['('] = true,  ['['] = true, ['{'] = true,
		[')'] = true,  [']'] = true,  ['}'] = true,  ['='] = true, ['#'] = true,
		['"'] = true,  ['\''] = true, ['\\'] = true, [','] = true, [';'] = true,
	};
	const char *first = at;
	size_t blanks = 0;

	if (l->comment) {
		while (at < end && *at != '\n' && *at != '\r')
			at++;
		return (size_t)(at - first);
	}
	for (; at < end && !is_sign[(unsigned char)*at]; at++)
		blanks += *at == ' ' || *at == '\t';
	if (l->quote && at > first)
		l->goes_on = false;
	if (!l->quote)
		l->segment += (size_t)(at - first) - blanks;
	return (size_t)(at - first);
}

static bool is_within(const struct look *l)
{
	return l->brackets <= BRACKETS_MAX && l->segment <= SEGMENT_MAX && l->equals <= EQUALS_MAX &&
	       l->line <= LINE_BYTES_MAX;
}

bool cuv_ruff_guard(const char *code, size_t len)
{
	const char *end = code + len, *at = code;
	struct look l = {.blocks = 0};

	if (len > CUV_RUFF_DOCUMENT_MAX || memchr(code, 0, len) || !cuv_utf8_valid(code, len))
		return false;
	if (!enter_line(&l, code, end))
		return false;
	while (at < end) {
		const bool ends = *at == '\n' || *at == '\r';
		size_t n = step_plain(&l, at, end);

		if (n == 0)
			n = l.quote ? step_string(&l, at, end) : step_code(&l, at, end, at > code && at[-1] == '\\');
		at += n;
		l.line += n;
		if (!is_within(&l) || (ends && !enter_line(&l, at, end)))
			return false;
	}
	return true;
}
