/* SPDX-License-Identifier: MIT */
#include "nixenv/pep440_specifier.h"

#include "nixenv/pep440.h"
#include "nixenv/pep508_list.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

const char *cuv_specifier_operator(struct cuv_scan *s)
{
	static const char *const operators[] = {"===", "==", "~=", "!=", "<=", ">=", "<", ">"};

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (cuv_scan_eat(s, operators[i]))
			return operators[i];
	return NULL;
}

static int refuse(enum cuv_error_code code, const char *reason, const char **ret_reason)
{
	*ret_reason = reason;
	return (int)code;
}

static int explain_version(int outcome, const char **ret_reason)
{
	switch ((enum cuv_version_outcome)outcome) {
	case CUV_VERSION_E_LENGTH:
		return refuse(CUV_E_TOO_LARGE, "is longer than 128 characters", ret_reason);
	case CUV_VERSION_E_NUMBER:
		return refuse(CUV_E_TOO_LARGE, "has a number that is too large", ret_reason);
	case CUV_VERSION_OK:
	case CUV_VERSION_E_SYNTAX:
	default:
		break;
	}
	return refuse(CUV_E_REQUIREMENT_INVALID, "is not a version like 1.2.3, 2.0rc1 or 1!4.0.post1 (PEP 440)",
		      ret_reason);
}

/* `==1.2.*`: the caller took the `.*` off. */
static int check_wildcard(const char *op, const struct cuv_version *v, const char **ret_reason)
{
	if (strcmp(op, "==") != 0 && strcmp(op, "!=") != 0)
		return refuse(CUV_E_REQUIREMENT_INVALID, "ends in `.*`, which only == and != take", ret_reason);
	if (v->pre || v->has_post || v->has_dev || v->local[0])
		return refuse(CUV_E_REQUIREMENT_INVALID, "ends in `.*`, which may only follow release numbers",
			      ret_reason);
	return 0;
}

static int check_plain(const char *op, const struct cuv_version *v, const char **ret_reason)
{
	if (strcmp(op, "~=") == 0 && v->n_release < 2)
		return refuse(CUV_E_REQUIREMENT_INVALID, "has one release number, but ~= needs two or more (~=1.4)",
			      ret_reason);
	if (v->local[0] && op[0] != '=' && strcmp(op, "!=") != 0)
		return refuse(CUV_E_REQUIREMENT_INVALID, "has a local label (+…), which only ==, != and === take",
			      ret_reason);
	return 0;
}

int cuv_specifier_normalize(const char *op, const char *version, size_t len, struct cuv_buf *out,
			    const char **ret_reason)
{
	_cleanup_buf_ struct cuv_buf normal = CUV_BUF_INIT(CUV_VERSION_LEN_MAX * 4);
	bool wildcard = len > 2 && memcmp(version + len - 2, ".*", 2) == 0;
	struct cuv_version v;
	bool short_release;
	int r;

	r = cuv_version_parse(version, wildcard ? len - 2 : len, &v);
	if (r != CUV_VERSION_OK)
		return explain_version(r, ret_reason);
	r = wildcard ? check_wildcard(op, &v, ret_reason) : check_plain(op, &v, ret_reason);
	if (r)
		return r;
	/* The number of release numbers means something to ~= and .*, and ===
	 * compares the spelling. */
	short_release = !wildcard && strcmp(op, "~=") != 0 && strcmp(op, "===") != 0;
	cuv_version_format(&v, short_release, &normal);
	if (wildcard)
		cuv_buf_add_str(&normal, ".*");
	if (cuv_buf_err(&normal) == -ENOMEM)
		return -ENOMEM;
	if (cuv_buf_err(&normal) || normal.len > CUV_VERSION_LEN_MAX)
		return explain_version(CUV_VERSION_E_LENGTH, ret_reason);
	if (!out)
		return 0;
	cuv_buf_add_str(out, op);
	return cuv_buf_add(out, normal.data, normal.len);
}

static bool ends_version(const struct cuv_scan *s)
{
	char c = cuv_scan_peek(s);

	return c == '\0' || cuv_is_blank(c) || strchr(",;()<>=~#@\"'", c) || cuv_scan_looks_at(s, "!=");
}

/* What is at the cursor instead of an operator, explained. */
static int fail_operator(struct cuv_scan *s)
{
	static const struct {
		const char *wrong;
		const char *right;
	} slips[] = {{"=>", ">="}, {"=<", "<="}, {"=", "=="}, {"~", "~="}, {"!", "!="}};

	for (size_t i = 0; i < ARRAY_SIZE(slips); i++)
		if (cuv_scan_looks_at(s, slips[i].wrong))
			return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID,
					     "`%s` is not an operator; write `%s`", slips[i].wrong, slips[i].right);
	return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID,
			     "a version needs an operator before it: one of == != <= >= < > ~= ===");
}

static int parse_one(struct cuv_scan *s, struct cuv_strv *list)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_VERSION_LEN_MAX * 2);
	const char *op, *reason = NULL;
	size_t start;
	int r;

	op = cuv_specifier_operator(s);
	if (!op)
		return fail_operator(s);
	cuv_scan_skip_blanks(s);
	start = s->pos;
	while (!ends_version(s))
		s->pos++;
	if (s->pos == start)
		return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID, "a version is missing after `%s`", op);
	r = cuv_specifier_normalize(op, s->text + start, s->pos - start, &text, &reason);
	if (r > 0)
		return cuv_scan_fail(s, start, (enum cuv_error_code)r, "`%.*s` %s", CUV_SCAN_SHOWN(s->pos - start),
				     s->text + start, reason);
	if (r < 0)
		return r;
	if (list->n >= CUV_SPECIFIERS_MAX)
		return cuv_scan_fail(s, start, CUV_E_TOO_LARGE, "a requirement may have at most %d version specifiers",
				     CUV_SPECIFIERS_MAX);
	return cuv_strv_add(list, cuv_buf_str(&text));
}

static bool is_operator_char(char c)
{
	return c && strchr("<>=!~", c);
}

int cuv_specifiers_parse(struct cuv_scan *s, struct cuv_buf *out)
{
	_cleanup_strv_ struct cuv_strv list = CUV_STRV_INIT;
	int r;

	for (;;) {
		r = parse_one(s, &list);
		if (r)
			return r;
		cuv_scan_skip_blanks(s);
		if (is_operator_char(cuv_scan_peek(s)))
			return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID,
					     "version specifiers are separated by commas, as in >=1.0,<2.0");
		if (!cuv_scan_eat(s, ","))
			break;
		cuv_scan_skip_blanks(s);
		if (cuv_is_alnum(cuv_scan_peek(s)) || cuv_scan_peek(s) == ',')
			return fail_operator(s);
		if (!is_operator_char(cuv_scan_peek(s)))
			break;
	}
	cuv_list_sort_unique(&list);
	return cuv_list_join(&list, ",", out);
}
