/* SPDX-License-Identifier: MIT */
#include "lib/base/utf8.h"
#include "nixenv/toml_parser.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- strings --- */

static int escape_hex(struct cuv_toml_parser *p, int digits, struct cuv_buf *out)
{
	uint32_t cp = 0;
	char bytes[4];

	for (int i = 0; i < digits; i++) {
		char c = cuv_toml_peek(p);

		if (c >= '0' && c <= '9')
			cp = cp * 16 + (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			cp = cp * 16 + (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return cuv_toml_fail(p, "an escape with too few digits");
		p->at++;
	}
	if (cp == 0 || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return cuv_toml_fail(p, "an escape that is no character");
	return cuv_buf_add(out, bytes, cuv_utf8_encode(cp, bytes));
}

/* A backslash at the end of a line: what is blank up to the next word is left out. */
static bool continues(struct cuv_toml_parser *p)
{
	const char *start = p->at;

	cuv_toml_skip_blanks(p);
	if (p->at < p->end && (*p->at == '\n' || *p->at == '\r')) {
		while (p->at < p->end && strchr(" \t\r\n", *p->at))
			p->at++;
		return true;
	}
	p->at = start;
	return false;
}

static int escape(struct cuv_toml_parser *p, bool lines, struct cuv_buf *out)
{
	static const char from[] = "btnfre\"\\", to[] = "\b\t\n\f\r\033\"\\";
	char c = cuv_toml_peek(p);
	const char *found = c ? strchr(from, c) : NULL;

	if (lines && continues(p))
		return 0;
	if (c == 'u' || c == 'U') {
		p->at++;
		return escape_hex(p, c == 'u' ? 4 : 8, out);
	}
	if (!found)
		return cuv_toml_fail(p, "an unknown escape");
	p->at++;
	return cuv_buf_add_char(out, to[found - from]);
}

/* One character of a string, escapes resolved. */
static int character(struct cuv_toml_parser *p, bool basic, bool lines, struct cuv_buf *out)
{
	size_t n = cuv_utf8_char_len(p->at, (size_t)(p->end - p->at));
	unsigned char c = n ? (unsigned char)*p->at : 0;
	int r;

	if (n == 0)
		return cuv_toml_fail(p, p->at < p->end ? "a string that is not UTF-8" : "a string without end");
	if (lines && c == '\r' && p->at + 1 < p->end && p->at[1] == '\n')
		c = (unsigned char)*++p->at;
	if (n == 1 && (c < 0x20 || c == 0x7f) && c != '\t' && !(lines && c == '\n'))
		return cuv_toml_fail(p, "a control character in a string");
	if (c == '\\' && basic) {
		p->at++;
		r = escape(p, lines, out);
	} else {
		r = cuv_buf_add(out, p->at, n);
		p->at += n;
	}
	return r == 0 || r == -EINVAL ? r : cuv_toml_fail(p, "a string that is too long");
}

static size_t quotes_here(const struct cuv_toml_parser *p, char quote)
{
	size_t n = 0;

	while (p->at + n < p->end && p->at[n] == quote)
		n++;
	return n;
}

/* After three quotes; one or two more may stand before the three that end it. */
static int lines_string(struct cuv_toml_parser *p, char quote, struct cuv_buf *out)
{
	if (p->at + 1 < p->end && p->at[0] == '\r' && p->at[1] == '\n')
		p->at++;
	(void)cuv_toml_accept(p, '\n');
	for (;;) {
		size_t n = quotes_here(p, quote);

		if (n >= 3) {
			size_t inside = CUV_MIN(n - 3, 2u);

			cuv_buf_add(out, p->at, inside);
			p->at += 3 + inside;
			return cuv_buf_err(out) ? cuv_toml_fail(p, "a string that is too long") : 0;
		}
		if (character(p, quote == '"', true, out) < 0)
			return -EINVAL;
	}
}

int cuv_toml_string(struct cuv_toml_parser *p, bool lines, struct cuv_buf *out)
{
	char quote = *p->at;

	if (quotes_here(p, quote) >= 3) {
		if (!lines)
			return cuv_toml_fail(p, "a key over several lines");
		p->at += 3;
		return lines_string(p, quote, out);
	}
	p->at++;
	while (!cuv_toml_accept(p, quote))
		if (character(p, quote == '"', false, out) < 0)
			return -EINVAL;
	return 0;
}

static json_t *string_value(struct cuv_toml_parser *p)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_TOML_STRING_MAX);
	const char *start = p->at;

	if (cuv_toml_string(p, true, &text) < 0)
		return NULL;
	return cuv_toml_note(p, json_stringn(cuv_buf_str(&text), text.len), start, CUV_TOML_VALUE);
}

/* --- numbers, booleans, dates --- */

/* Takes out the '_' of a number, each of which must stand between two digits. */
static bool take_underscores(char *word)
{
	char *to = word;

	for (const char *at = word; *at; at++) {
		if (*at != '_') {
			*to++ = *at;
			continue;
		}
		if (at == word || !cuv_toml_is_bare(at[-1]) || at[-1] == '_' || !cuv_toml_is_bare(at[1]) ||
		    at[1] == '_')
			return false;
	}
	*to = '\0';
	return true;
}

static bool all_of(const char *text, const char *set)
{
	return *text && text[strspn(text, set)] == '\0';
}

static json_t *integer_value(const char *word)
{
	static const struct {
		const char *prefix, *digits;
		int base;
	} forms[] = {{"0x", "0123456789abcdefABCDEF", 16}, {"0o", "01234567", 8}, {"0b", "01", 2}};
	const char *digits = word + (*word == '+' || *word == '-');
	long long n;
	int base = 10;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (strncmp(word, forms[i].prefix, 2) == 0) {
			if (!all_of(word + 2, forms[i].digits))
				return NULL;
			base = forms[i].base;
			digits = word += 2;
		}
	if (base == 10 && (!all_of(digits, "0123456789") || (digits[0] == '0' && digits[1])))
		return NULL;
	errno = 0;
	n = strtoll(word, NULL, base);
	return errno ? NULL : json_integer(n);
}

/* digits [. digits] [e digits], with one of the two. */
static json_t *float_value(const char *word)
{
	const char *at = word + (*word == '+' || *word == '-');
	size_t whole = strspn(at, "0123456789"), part;

	if (strcmp(at, "inf") == 0 || strcmp(at, "nan") == 0)
		return json_string(word);
	if (whole == 0 || (whole > 1 && at[0] == '0') || !at[whole])
		return NULL;
	at += whole;
	if (*at == '.') {
		part = strspn(at + 1, "0123456789");
		if (part == 0)
			return NULL;
		at += 1 + part;
	}
	if (*at == 'e' || *at == 'E') {
		at += 1 + (at[1] == '+' || at[1] == '-');
		if (!all_of(at, "0123456789"))
			return NULL;
		at += strlen(at);
	}
	/* One that is too large for a double is none for JSON: NULL. */
	return *at ? NULL : json_real(strtod(word, NULL));
}

/* Only the form is looked at, not whether there is such a day. */
static bool is_date(const char *word, size_t len)
{
	return len >= 8 && word[0] >= '0' && word[0] <= '9' && strspn(word, "0123456789-:.+TtZz ") == len &&
	       (word[2] == ':' || (word[4] == '-' && len >= 10));
}

static void skip_word(struct cuv_toml_parser *p)
{
	while (p->at < p->end && *p->at && (cuv_toml_is_bare(*p->at) || strchr(":+.", *p->at)))
		p->at++;
}

/* What stands there up to a delimiter. */
static json_t *bare_value(struct cuv_toml_parser *p)
{
	const char *start = p->at;
	char word[64];
	size_t len;
	json_t *j;

	skip_word(p);
	/* A date may be parted from its time by one blank. */
	if (p->at - start == 10 && start[4] == '-' && p->end - p->at > 3 && p->at[0] == ' ' && p->at[1] >= '0' &&
	    p->at[1] <= '2' && p->at[3] == ':') {
		p->at++;
		skip_word(p);
	}
	len = (size_t)(p->at - start);
	p->at = start;
	if (len == 0 || len >= sizeof(word)) {
		cuv_toml_fail(p, "a value that is missing or too long");
		return NULL;
	}
	memcpy(word, start, len);
	word[len] = '\0';
	if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
		j = json_boolean(word[0] == 't');
	else if (is_date(word, len))
		j = json_string(word);
	else if (!take_underscores(word) || (!(j = integer_value(word)) && !(j = float_value(word)))) {
		cuv_toml_fail(p, "a value that is neither text nor number, date, true or false");
		return NULL;
	}
	p->at = start + len;
	return cuv_toml_note(p, j, start, CUV_TOML_VALUE);
}

/* --- arrays and inline tables --- */

static json_t *array(struct cuv_toml_parser *p, int depth)
{
	json_t *a = cuv_toml_note(p, json_array(), p->at, CUV_TOML_VALUE);

	p->at++;
	while (a) {
		(void)cuv_toml_skip_lines(p);
		if (cuv_toml_accept(p, ']'))
			return a;
		if (json_array_append_new(a, cuv_toml_value(p, depth)) < 0)
			break;
		(void)cuv_toml_skip_lines(p);
		if (cuv_toml_accept(p, ','))
			continue;
		if (cuv_toml_peek(p) != ']') {
			cuv_toml_fail(p, "an array without its ]");
			break;
		}
	}
	json_decref(a);
	return NULL;
}

static json_t *inline_table(struct cuv_toml_parser *p, int depth)
{
	json_t *table = cuv_toml_note(p, json_object(), p->at, CUV_TOML_VALUE);

	p->at++;
	cuv_toml_skip_blanks(p);
	if (table && cuv_toml_accept(p, '}'))
		return table;
	while (table) {
		cuv_toml_skip_blanks(p);
		if (cuv_toml_pair(p, table, depth) < 0)
			break;
		cuv_toml_skip_blanks(p);
		if (cuv_toml_accept(p, '}'))
			return table;
		if (!cuv_toml_accept(p, ',')) {
			cuv_toml_fail(p, "an inline table without its }");
			break;
		}
	}
	json_decref(table);
	return NULL;
}

json_t *cuv_toml_value(struct cuv_toml_parser *p, int depth)
{
	char c = cuv_toml_peek(p);

	if (depth >= CUV_TOML_DEPTH_MAX) {
		cuv_toml_fail(p, "values nested too deeply");
		return NULL;
	}
	if (c == '"' || c == '\'')
		return string_value(p);
	if (c == '[')
		return array(p, depth + 1);
	if (c == '{')
		return inline_table(p, depth + 1);
	return bare_value(p);
}
