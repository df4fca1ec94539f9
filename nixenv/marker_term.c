/* SPDX-License-Identifier: MIT */
#include "nixenv/marker_term.h"

#include "nixenv/marker.h"
#include "nixenv/pep440_specifier.h"
#include "nixenv/pep508.h"

#include <errno.h>
#include <string.h>

enum kind {
	KIND_TEXT,
	KIND_VERSION,
	KIND_EXTRA,
};

static const struct variable {
	const char *word;
	const char *name; /* what the normal form writes */
	enum kind kind;
} variables[] = {
	{"python_version", "python_version", KIND_VERSION},
	{"python_full_version", "python_full_version", KIND_VERSION},
	{"implementation_version", "implementation_version", KIND_VERSION},
	{"os_name", "os_name", KIND_TEXT},
	{"sys_platform", "sys_platform", KIND_TEXT},
	{"platform_machine", "platform_machine", KIND_TEXT},
	{"platform_python_implementation", "platform_python_implementation", KIND_TEXT},
	{"platform_release", "platform_release", KIND_TEXT},
	{"platform_system", "platform_system", KIND_TEXT},
	{"platform_version", "platform_version", KIND_TEXT},
	{"implementation_name", "implementation_name", KIND_TEXT},
	{"extra", "extra", KIND_EXTRA},
	/* Spellings older than PEP 508 that tools still read. */
	{"os.name", "os_name", KIND_TEXT},
	{"sys.platform", "sys_platform", KIND_TEXT},
	{"platform.machine", "platform_machine", KIND_TEXT},
	{"platform.version", "platform_version", KIND_TEXT},
	{"platform.python_implementation", "platform_python_implementation", KIND_TEXT},
	{"python_implementation", "platform_python_implementation", KIND_TEXT},
};

/* One side of a comparison: a variable, or a quoted string in the scanned text. */
struct operand {
	const struct variable *variable; /* NULL for a string */
	size_t at;			 /* where it begins, for messages */
	const char *text;		 /* borrowed from the scan */
	size_t len;
};

struct term {
	const struct variable *variable;
	const char *op; /* static; "in" and "not in" among them */
	struct operand string;
	bool string_first;
};

static bool is_word_char(char c)
{
	return cuv_is_alnum(c) || c == '_' || c == '.';
}

bool cuv_marker_looks_at_word(const struct cuv_scan *s, const char *word)
{
	size_t len = strlen(word);

	return cuv_scan_looks_at(s, word) && (s->pos + len >= s->len || !is_word_char(s->text[s->pos + len]));
}

static int read_string(struct cuv_scan *s, struct operand *ret)
{
	char quote = cuv_scan_peek(s);

	ret->at = s->pos++;
	ret->text = s->text + s->pos;
	for (; cuv_scan_peek(s) != quote; s->pos++) {
		char c = cuv_scan_peek(s);

		if (c == '\0')
			return cuv_scan_fail(s, ret->at, CUV_E_REQUIREMENT_INVALID,
					     "this %c string does not end (` #` begins a comment even inside quotes)",
					     quote);
		if (c == '\t' || c == '\\' || c == '$')
			return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID, "a string in a marker can't hold %s",
					     c == '\t'	 ? "a tab; use a space"
					     : c == '\\' ? "a backslash"
							 : "`$`");
		if (c == ' ' && s->pos + 1 < s->len && s->text[s->pos + 1] == '-')
			return cuv_scan_fail(
				s, s->pos, CUV_E_REQUIREMENT_INVALID,
				"a string in a marker can't hold ` -`, which installers read as an option");
	}
	ret->len = s->pos++ - (ret->at + 1);
	if (ret->len > CUV_MARKER_STRING_MAX)
		return cuv_scan_fail(s, ret->at, CUV_E_TOO_LARGE, "a string in a marker may have at most %d characters",
				     CUV_MARKER_STRING_MAX);
	return 0;
}

static int read_operand(struct cuv_scan *s, struct operand *ret)
{
	size_t start = s->pos;

	*ret = (struct operand){.at = start};
	if (cuv_scan_peek(s) == '"' || cuv_scan_peek(s) == '\'')
		return read_string(s, ret);
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		if (!cuv_marker_looks_at_word(s, variables[i].word))
			continue;
		ret->variable = &variables[i];
		s->pos += strlen(variables[i].word);
		return 0;
	}
	while (is_word_char(cuv_scan_peek(s)))
		s->pos++;
	if (s->pos == start)
		return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID,
				     "a marker variable (like python_version) or a quoted string is missing here");
	return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID,
			     "`%.*s` is not a marker variable; known are python_version, python_full_version, os_name, "
			     "sys_platform, platform_machine, platform_system, platform_release, platform_version, "
			     "platform_python_implementation, implementation_name, implementation_version and extra; "
			     "strings need quotes",
			     CUV_SCAN_SHOWN(s->pos - start), s->text + start);
}

static int read_operator(struct cuv_scan *s, const char **ret)
{
	size_t start = s->pos;

	if (cuv_marker_looks_at_word(s, "in")) {
		s->pos += strlen("in");
		*ret = "in";
		return 0;
	}
	if (cuv_marker_looks_at_word(s, "not")) {
		s->pos += strlen("not");
		cuv_scan_skip_blanks(s);
		if (!cuv_marker_looks_at_word(s, "in"))
			return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID, "`not` must be followed by `in`");
		s->pos += strlen("in");
		*ret = "not in";
		return 0;
	}
	*ret = cuv_specifier_operator(s);
	if (!*ret)
		return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID,
				     "an operator is missing here: one of == != <= >= < > ~= in, not in");
	if (strcmp(*ret, "===") == 0)
		return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_UNSUPPORTED,
				     "`===` is not served in markers; write `==`");
	return 0;
}

/* a < "b" is "b" > a; the others that can be turned round stay as they are. */
static const char *turned_round(const char *op)
{
	static const char *const pairs[][2] = {{"<", ">"},   {">", "<"},   {"<=", ">="},
					       {">=", "<="}, {"==", "=="}, {"!=", "!="}};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (strcmp(op, pairs[i][0]) == 0)
			return pairs[i][1];
	return NULL;
}

static bool is_in(const char *op)
{
	return strcmp(op, "in") == 0 || strcmp(op, "not in") == 0;
}

static int read_term(struct cuv_scan *s, struct term *ret)
{
	struct operand left, right;
	const char *op = NULL, *turned;
	size_t op_at;
	int r;

	r = read_operand(s, &left);
	if (r)
		return r;
	cuv_scan_skip_blanks(s);
	op_at = s->pos;
	r = read_operator(s, &op);
	if (r)
		return r;
	cuv_scan_skip_blanks(s);
	r = read_operand(s, &right);
	if (r)
		return r;
	if (!left.variable == !right.variable)
		return cuv_scan_fail(
			s, left.at, CUV_E_REQUIREMENT_INVALID,
			"a marker compares one variable with one quoted string, as in os_name == \"posix\"");
	*ret = (struct term){.variable = left.variable, .op = op, .string = right};
	if (left.variable)
		return 0;
	*ret = (struct term){.variable = right.variable, .op = op, .string = left, .string_first = true};
	turned = turned_round(op);
	if (turned) {
		ret->op = turned;
		ret->string_first = false;
	} else if (!is_in(op)) {
		return cuv_scan_fail(s, op_at, CUV_E_REQUIREMENT_UNSUPPORTED, "`%s` needs the variable on its left",
				     op);
	}
	return 0;
}

/* The normal form of anything but `in` lists and extras is the text itself. */
static int write_term(const struct term *t, const char *text, size_t len, struct cuv_buf *out)
{
	const char *quote = len && memchr(text, '"', len) ? "'" : "\"";

	if (!t->string_first)
		cuv_buf_addf(out, "%s %s ", t->variable->name, t->op);
	cuv_buf_add_str(out, quote);
	cuv_buf_add(out, text, len);
	cuv_buf_add_str(out, quote);
	if (t->string_first)
		cuv_buf_addf(out, " %s %s", t->op, t->variable->name);
	return cuv_buf_err(out);
}

static int fail_version(struct cuv_scan *s, const struct term *t, size_t at, size_t len, int code, const char *reason)
{
	return cuv_scan_fail(s, at, (enum cuv_error_code)code, "%s is compared with versions, and `%.*s` %s",
			     t->variable->name, CUV_SCAN_SHOWN(len), s->text + at, reason);
}

/* python_version in "3.8 3.9": the resolver takes versions between blanks;
 * pip's plain text search also allows commas, so those become blanks. */
static int write_version_list(struct cuv_scan *s, const struct term *t, struct cuv_buf *out)
{
	_cleanup_buf_ struct cuv_buf list = CUV_BUF_INIT(CUV_MARKER_STRING_MAX);
	const char *text = t->string.text, *reason = NULL;
	size_t i = 0;
	int r;

	while (i < t->string.len) {
		size_t n = 0;

		if (text[i] == ' ' || text[i] == ',') {
			i++;
			continue;
		}
		while (i + n < t->string.len && text[i + n] != ' ' && text[i + n] != ',')
			n++;
		r = cuv_specifier_normalize("==", text + i, n, NULL, &reason);
		if (r == 0 && text[i + n - 1] == '*') {
			r = CUV_E_REQUIREMENT_INVALID;
			reason = "ends in `.*`, which a list does not take";
		}
		if (r > 0)
			return fail_version(s, t, t->string.at + 1 + i, n, r, reason);
		if (r < 0)
			return r;
		if (list.len)
			cuv_buf_add_char(&list, ' ');
		cuv_buf_add(&list, text + i, n);
		i += n;
	}
	if (cuv_buf_err(&list))
		return cuv_buf_err(&list);
	return write_term(t, cuv_buf_str(&list), list.len, out);
}

static int write_version_term(struct cuv_scan *s, const struct term *t, struct cuv_buf *out)
{
	const char *reason = NULL;
	int r;

	if (is_in(t->op) && t->string_first)
		return cuv_scan_fail(s, t->string.at, CUV_E_REQUIREMENT_UNSUPPORTED,
				     "a part of a version can't be looked for; write %s == \"3.11\" or %s == \"3.*\"",
				     t->variable->name, t->variable->name);
	if (is_in(t->op))
		return write_version_list(s, t, out);
	r = cuv_specifier_normalize(t->op, t->string.text, t->string.len, NULL, &reason);
	if (r > 0)
		return fail_version(s, t, t->string.at + 1, t->string.len, r, reason);
	if (r < 0)
		return r;
	return write_term(t, t->string.text, t->string.len, out);
}

static int write_extra_term(struct cuv_scan *s, const struct term *t, struct cuv_buf *out)
{
	_cleanup_buf_ struct cuv_buf name = CUV_BUF_INIT(CUV_NAME_LEN_MAX);
	int r;

	if (strcmp(t->op, "==") != 0 && strcmp(t->op, "!=") != 0)
		return cuv_scan_fail(s, t->string.at, CUV_E_REQUIREMENT_UNSUPPORTED,
				     "extra takes only == and != in a marker");
	r = cuv_name_normalize(t->string.text, t->string.len, &name);
	if (r > 0)
		return cuv_scan_fail(s, t->string.at, CUV_E_REQUIREMENT_INVALID, "`%.*s` is not the name of an extra",
				     CUV_SCAN_SHOWN(t->string.len), t->string.text);
	if (r < 0)
		return r;
	return write_term(t, cuv_buf_str(&name), name.len, out);
}

int cuv_marker_term_parse(struct cuv_scan *s, struct cuv_buf *out)
{
	struct term t;
	int r;

	r = read_term(s, &t);
	if (r)
		return r;
	switch (t.variable->kind) {
	case KIND_VERSION:
		return write_version_term(s, &t, out);
	case KIND_EXTRA:
		return write_extra_term(s, &t, out);
	case KIND_TEXT:
	default:
		break;
	}
	if (strcmp(t.op, "~=") == 0)
		return cuv_scan_fail(s, t.string.at, CUV_E_REQUIREMENT_UNSUPPORTED,
				     "`~=` compares versions, and %s is text; write == or in", t.variable->name);
	return write_term(&t, t.string.text, t.string.len, out);
}
