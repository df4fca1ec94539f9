/* SPDX-License-Identifier: MIT */
#include "nixenv/pep508.h"

#include "nixenv/marker.h"
#include "nixenv/pep440_specifier.h"
#include "nixenv/pep508_list.h"
#include "nixenv/pep508_url.h"

#include <errno.h>
#include <string.h>

/* Room for the largest normal form of one part; parsers have tighter limits. */
#define PART_MAX (128 * 1024)

void cuv_requirement_done(struct cuv_requirement *r)
{
	free(r->name);
	cuv_strv_done(&r->extras);
	free(r->specifiers);
	cuv_direct_done(&r->direct);
	free(r->marker);
	cuv_strv_done(&r->hashes);
	free(r->text);
	*r = (struct cuv_requirement){0};
}

static bool is_name_char(char c)
{
	return cuv_is_alnum(c) || c == '-' || c == '_' || c == '.';
}

int cuv_name_normalize(const char *name, size_t len, struct cuv_buf *out)
{
	if (len == 0 || len > CUV_NAME_LEN_MAX || !cuv_is_alnum(name[0]) || !cuv_is_alnum(name[len - 1]))
		return 1;
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(name[i]))
			return 1;
	for (size_t i = 0; i < len; i++) {
		if (cuv_is_alnum(name[i]))
			cuv_buf_add_char(out, cuv_lower(name[i]));
		else if (cuv_is_alnum(name[i + 1]))
			cuv_buf_add_char(out, '-'); /* the last of a run */
	}
	return cuv_buf_err(out);
}

/* The name at the cursor in normal form; `what` is "package" or "extra". */
static int read_name(struct cuv_scan *s, const char *what, char **ret)
{
	_cleanup_buf_ struct cuv_buf name = CUV_BUF_INIT(CUV_NAME_LEN_MAX);
	const char *article = what[0] == 'e' ? "an" : "a";
	size_t start = s->pos;
	int r;

	while (is_name_char(cuv_scan_peek(s)))
		s->pos++;
	if (s->pos == start && cuv_scan_at_end(s))
		return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID, "the name of the %s is missing", what);
	if (s->pos == start)
		return cuv_scan_fail(
			s, start, CUV_E_REQUIREMENT_INVALID,
			"the name of %s %s can't begin with `%c`; it has letters and digits, and . _ - between "
			"them",
			article, what, cuv_scan_peek(s));
	if (s->pos - start > CUV_NAME_LEN_MAX)
		return cuv_scan_fail(s, start, CUV_E_TOO_LARGE, "the name of %s %s may have at most %d characters",
				     article, what, CUV_NAME_LEN_MAX);
	r = cuv_name_normalize(s->text + start, s->pos - start, &name);
	if (r > 0)
		return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID,
				     "the name of %s %s begins and ends with a letter or digit, which `%.*s` does not",
				     article, what, CUV_SCAN_SHOWN(s->pos - start), s->text + start);
	if (r < 0)
		return r;
	*ret = cuv_buf_take(&name, NULL);
	return *ret ? 0 : -ENOMEM;
}

static int read_extra(struct cuv_scan *s, struct cuv_strv *extras)
{
	_cleanup_free_ char *name = NULL;
	size_t start = s->pos;
	int r;

	r = read_name(s, "extra", &name);
	if (r)
		return r;
	if (extras->n >= CUV_EXTRAS_MAX)
		return cuv_scan_fail(s, start, CUV_E_TOO_LARGE, "a requirement may have at most %d extras",
				     CUV_EXTRAS_MAX);
	return cuv_strv_add(extras, name);
}

/* `[a, b]`, the cursor at the bracket. */
static int read_extras(struct cuv_scan *s, struct cuv_strv *extras)
{
	size_t open = s->pos++;
	int r;

	cuv_scan_skip_blanks(s);
	if (cuv_scan_eat(s, "]"))
		return 0;
	for (;;) {
		r = read_extra(s, extras);
		if (r)
			return r;
		cuv_scan_skip_blanks(s);
		if (cuv_scan_eat(s, "]"))
			break;
		if (cuv_scan_at_end(s))
			return cuv_scan_fail(s, open, CUV_E_REQUIREMENT_INVALID, "this bracket is not closed");
		if (!cuv_scan_eat(s, ","))
			return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID,
					     "extras are separated by commas, as in name[one,two]");
		cuv_scan_skip_blanks(s);
	}
	cuv_list_sort_unique(extras);
	return 0;
}

/* Specifiers, bare or in parentheses; nothing is a fine answer too. */
static int read_specifiers(struct cuv_scan *s, char **ret)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(PART_MAX);
	size_t open = s->pos;
	bool parens = cuv_scan_eat(s, "(");
	char c;
	int r;

	if (parens)
		cuv_scan_skip_blanks(s);
	c = cuv_scan_peek(s);
	if (c && (strchr("<>=!~", c) || (parens && c != ')'))) {
		r = cuv_specifiers_parse(s, &text);
		if (r)
			return r;
	}
	if (parens && cuv_scan_at_end(s))
		return cuv_scan_fail(s, open, CUV_E_REQUIREMENT_INVALID, "this parenthesis is not closed");
	if (parens && !cuv_scan_eat(s, ")"))
		return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID, "expected `,` or `)` here");
	*ret = cuv_buf_take(&text, NULL);
	return *ret ? 0 : -ENOMEM;
}

static int read_marker(struct cuv_scan *s, char **ret)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(PART_MAX);
	int r;

	if (cuv_scan_eat(s, ";")) {
		r = cuv_marker_parse(s, &text);
		if (r)
			return r;
	}
	*ret = cuv_buf_take(&text, NULL);
	return *ret ? 0 : -ENOMEM;
}

/* Something is left that is neither the end nor an option. */
static int fail_rest(struct cuv_scan *s, bool after_marker)
{
	char c = cuv_scan_peek(s);

	if (c == '@')
		return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID,
				     "a requirement has either specifiers or an address behind `@`, not both");
	if (c == '#')
		return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID, "a comment needs a blank before its `#`");
	if (after_marker)
		return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID,
				     "expected `and`, `or` or the end of the line here");
	if (cuv_is_digit(c))
		return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID,
				     "a version needs an operator before it, as in name==1.2.3");
	if (cuv_is_alnum(c))
		return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID,
				     "each requirement stands on a line of its own; a marker begins with `;`");
	return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID,
			     "`%c` is not expected here; a requirement reads name[extra]>=1,<2; marker", c);
}

/* The address behind `@`, or alone, where it has to say the name. */
static int read_address(struct cuv_scan *s, struct cuv_requirement *ret)
{
	_cleanup_free_ char *name = NULL;
	size_t start = s->pos;
	int r = cuv_direct_parse(s, &ret->direct, &ret->hashes, &name);

	if (r)
		return r;
	if (!ret->name && !name)
		return cuv_scan_fail(
			s, start, CUV_E_REQUIREMENT_INVALID,
			"an address needs the package's name before it: name @ git+https://host/path@commit");
	if (ret->name && name && strcmp(ret->name, name) != 0)
		return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID,
				     "the address is one of `%.128s`, not of `%.128s`", name, ret->name);
	if (!ret->name)
		ret->name = TAKE_PTR(name);
	ret->specifiers = strdup("");
	return ret->specifiers ? 0 : -ENOMEM;
}

/* Up to the marker. */
static int read_head(struct cuv_scan *s, struct cuv_requirement *ret)
{
	int r;

	if (cuv_pep508_is_address(s))
		return read_address(s, ret);
	r = read_name(s, "package", &ret->name);
	if (r)
		return r;
	cuv_scan_skip_blanks(s);
	if (cuv_scan_peek(s) == '[') {
		r = read_extras(s, &ret->extras);
		if (r)
			return r;
		cuv_scan_skip_blanks(s);
	}
	if (cuv_scan_eat(s, "@")) {
		cuv_scan_skip_blanks(s);
		return read_address(s, ret);
	}
	return read_specifiers(s, &ret->specifiers);
}

int cuv_pep508_parse(struct cuv_scan *s, struct cuv_requirement *ret)
{
	int r;

	r = read_head(s, ret);
	if (r)
		return r;
	cuv_scan_skip_blanks(s);
	r = read_marker(s, &ret->marker);
	if (r)
		return r;
	cuv_scan_skip_blanks(s);
	if (!cuv_scan_at_end(s) && (cuv_scan_peek(s) != '-' || !cuv_is_blank(s->text[s->pos - 1])))
		return fail_rest(s, ret->marker[0]);
	return 0;
}
