/* SPDX-License-Identifier: MIT */
#include "nixenv/marker_eval.h"

#include "nixenv/marker.h"
#include "nixenv/marker_term.h"
#include "nixenv/pep440_compare.h"
#include "nixenv/pep440_specifier.h"
#include "nixenv/pep508.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum kind { KIND_STRING, KIND_TEXT, KIND_VERSION, KIND_EXTRA, KIND_EXTRAS, KIND_GROUPS };

/* NULL: from the environment. */
static const struct variable {
	const char *word;
	enum kind kind;
	const char *value;
} variables[] = {
	{"python_version", KIND_VERSION, NULL},
	{"python_full_version", KIND_VERSION, NULL},
	{"implementation_version", KIND_VERSION, NULL},
	{"os_name", KIND_TEXT, "posix"},
	{"os.name", KIND_TEXT, "posix"},
	{"sys_platform", KIND_TEXT, "linux"},
	{"sys.platform", KIND_TEXT, "linux"},
	{"platform_machine", KIND_TEXT, "x86_64"},
	{"platform.machine", KIND_TEXT, "x86_64"},
	{"platform_python_implementation", KIND_TEXT, "CPython"},
	{"platform.python_implementation", KIND_TEXT, "CPython"},
	{"python_implementation", KIND_TEXT, "CPython"},
	{"platform_release", KIND_TEXT, ""},
	{"platform_system", KIND_TEXT, "Linux"},
	{"platform_version", KIND_TEXT, ""},
	{"platform.version", KIND_TEXT, ""},
	{"implementation_name", KIND_TEXT, "cpython"},
	{"extra", KIND_EXTRA, NULL},
	{"extras", KIND_EXTRAS, ""},
	{"dependency_groups", KIND_GROUPS, ""},
};

struct eval {
	struct cuv_scan *scan;
	const struct cuv_marker_env *env;
	char minor[16]; /* "3.11" */
	size_t n_terms;
	unsigned depth;
};

/* One side of a comparison; text is borrowed. */
struct side {
	enum kind kind;
	size_t at;
	const char *text;
	size_t len;
};

static int read_side(struct eval *e, struct side *ret)
{
	struct cuv_scan *s = e->scan;
	char quote = cuv_scan_peek(s);

	*ret = (struct side){.kind = KIND_STRING, .at = s->pos};
	if (quote == '"' || quote == '\'') {
		ret->text = s->text + ++s->pos;
		while (!cuv_scan_at_end(s) && cuv_scan_peek(s) != quote)
			s->pos++;
		ret->len = (size_t)(s->text + s->pos - ret->text);
		if (cuv_scan_at_end(s) || ret->len > CUV_MARKER_STRING_MAX)
			return cuv_scan_fail(s, ret->at, CUV_E_LOCK_INVALID,
					     "this string of a marker does not end, or has more than %d characters",
					     CUV_MARKER_STRING_MAX);
		s->pos++;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		const struct variable *v = &variables[i];

		if (!cuv_marker_looks_at_word(s, v->word))
			continue;
		s->pos += strlen(v->word);
		ret->kind = v->kind;
		ret->text = v->value				     ? v->value
			    : v->kind == KIND_EXTRA		     ? (e->env->extra ? e->env->extra : "")
			    : strcmp(v->word, "python_version") == 0 ? e->minor
								     : e->env->python_full;
		ret->len = strlen(ret->text);
		return 0;
	}
	return cuv_scan_fail(s, s->pos, CUV_E_LOCK_INVALID,
			     "a marker compares variables such as python_version or sys_platform with quoted text");
}

/* A static string: a version's operator, "in", "not in"; NULL when there is none. */
static const char *read_operator(struct cuv_scan *s)
{
	size_t start = s->pos;

	if (cuv_marker_looks_at_word(s, "in")) {
		s->pos += 2;
		return "in";
	}
	if (cuv_marker_looks_at_word(s, "not")) {
		s->pos += 3;
		cuv_scan_skip_blanks(s);
		if (cuv_marker_looks_at_word(s, "in")) {
			s->pos += 2;
			return "not in";
		}
		s->pos = start;
		return NULL;
	}
	return cuv_specifier_operator(s);
}

/* --- comparisons --- */

static bool holds(const char *text, size_t len, const char *part, size_t part_len)
{
	return part_len == 0 || (part_len <= len && memmem(text, len, part, part_len));
}

static int by_text(struct eval *e, const struct side *a, const char *op, const struct side *b, bool *ret)
{
	int r = memcmp(a->text, b->text, CUV_MIN(a->len, b->len));

	r = r ? r : (a->len > b->len) - (a->len < b->len);
	if (strcmp(op, "~=") == 0)
		return cuv_scan_fail(e->scan, a->at, CUV_E_LOCK_INVALID,
				     "`~=` compares versions, and one of these two is none");
	if (op[0] == '<')
		*ret = op[1] ? r <= 0 : r < 0;
	else if (op[0] == '>')
		*ret = op[1] ? r >= 0 : r > 0;
	else
		*ret = (r == 0) == (op[0] == '=');
	return 0;
}

static int by_value(struct eval *e, const struct side *a, const char *op, const struct side *b, bool *ret)
{
	struct cuv_version v;

	if ((a->kind == KIND_VERSION || b->kind == KIND_VERSION) &&
	    cuv_version_parse(a->text, a->len, &v) == CUV_VERSION_OK &&
	    cuv_specifier_takes(op, b->text, b->len, &v, ret) == 0)
		return 0;
	return by_text(e, a, op, b, ret);
}

/* In whatever spelling. */
static bool same_extra(const struct side *a, const struct side *b)
{
	_cleanup_buf_ struct cuv_buf left = CUV_BUF_INIT(CUV_NAME_LEN_MAX), right = CUV_BUF_INIT(CUV_NAME_LEN_MAX);

	if (cuv_name_normalize(a->text, a->len, &left) == 0 && cuv_name_normalize(b->text, b->len, &right) == 0)
		return strcmp(cuv_buf_str(&left), cuv_buf_str(&right)) == 0;
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static int by_extra(struct eval *e, const struct side *a, const char *op, const struct side *b, bool *ret)
{
	if (strcmp(op, "==") != 0 && strcmp(op, "!=") != 0)
		return cuv_scan_fail(e->scan, a->at, CUV_E_LOCK_INVALID, "extra takes only == and != in a marker");
	*ret = same_extra(a, b) == (op[0] == '=');
	return 0;
}

static int in_set(struct eval *e, const struct side *a, const char *op, const struct side *b, bool *ret)
{
	const struct cuv_strv *set = b->kind == KIND_EXTRAS ? e->env->extras : e->env->groups;
	_cleanup_buf_ struct cuv_buf name = CUV_BUF_INIT(CUV_NAME_LEN_MAX);
	bool is_in = strcmp(op, "in") == 0;

	if (a->kind != KIND_STRING || (!is_in && strcmp(op, "not in") != 0))
		return cuv_scan_fail(e->scan, a->at, CUV_E_LOCK_INVALID,
				     "extras and dependency_groups are sets: write \"name\" in extras");
	if (cuv_name_normalize(a->text, a->len, &name) != 0)
		return cuv_scan_fail(e->scan, a->at, CUV_E_LOCK_INVALID,
				     "`%.*s` is not the name of an extra or a group", CUV_SCAN_SHOWN(a->len), a->text);
	*ret = (set && cuv_strv_has(set, cuv_buf_str(&name))) == is_in;
	return 0;
}

static bool is_set(const struct side *s)
{
	return s->kind == KIND_EXTRAS || s->kind == KIND_GROUPS;
}

static int eval_term(struct eval *e, bool *ret)
{
	struct cuv_scan *s = e->scan;
	struct side a, b;
	const char *op;

	if (++e->n_terms > CUV_MARKER_EVAL_TERMS_MAX)
		return cuv_scan_fail(s, s->pos, CUV_E_TOO_LARGE, "a marker may have at most %d comparisons",
				     CUV_MARKER_EVAL_TERMS_MAX);
	if (read_side(e, &a) < 0)
		return -EINVAL;
	cuv_scan_skip_blanks(s);
	op = read_operator(s);
	if (!op)
		return cuv_scan_fail(s, s->pos, CUV_E_LOCK_INVALID,
				     "a comparison is missing: one of == != <= >= < > ~= in `not in`");
	cuv_scan_skip_blanks(s);
	if (read_side(e, &b) < 0)
		return -EINVAL;
	if (a.kind == KIND_STRING && b.kind == KIND_STRING)
		return cuv_scan_fail(s, a.at, CUV_E_LOCK_INVALID,
				     "a marker compares a variable with a text, not two texts");
	if (is_set(&a) || is_set(&b))
		return is_set(&b) ? in_set(e, &a, op, &b, ret) : in_set(e, &b, op, &a, ret);
	if (a.kind == KIND_EXTRA || b.kind == KIND_EXTRA)
		return by_extra(e, &a, op, &b, ret);
	if (strcmp(op, "in") == 0 || strcmp(op, "not in") == 0) {
		*ret = holds(b.text, b.len, a.text, a.len) == (op[0] == 'i');
		return 0;
	}
	return by_value(e, &a, op, &b, ret);
}

static int eval_or(struct eval *e, bool *ret);

static int eval_unit(struct eval *e, bool *ret)
{
	struct cuv_scan *s = e->scan;
	size_t open;

	cuv_scan_skip_blanks(s);
	open = s->pos;
	if (!cuv_scan_eat(s, "("))
		return eval_term(e, ret);
	if (++e->depth > CUV_MARKER_DEPTH_MAX)
		return cuv_scan_fail(s, open, CUV_E_TOO_LARGE, "parentheses in a marker may be nested at most %d deep",
				     CUV_MARKER_DEPTH_MAX);
	if (eval_or(e, ret) < 0)
		return -EINVAL;
	e->depth--;
	cuv_scan_skip_blanks(s);
	if (!cuv_scan_eat(s, ")"))
		return cuv_scan_fail(s, open, CUV_E_LOCK_INVALID, "this parenthesis is not closed");
	return 0;
}

/* All operands are read, also when the first one decides. */
static int eval_and(struct eval *e, bool *ret)
{
	int r = eval_unit(e, ret);

	for (cuv_scan_skip_blanks(e->scan); r == 0 && cuv_marker_looks_at_word(e->scan, "and");
	     cuv_scan_skip_blanks(e->scan)) {
		bool more = false;

		e->scan->pos += 3;
		r = eval_unit(e, &more);
		*ret = *ret && more;
	}
	return r;
}

static int eval_or(struct eval *e, bool *ret)
{
	int r = eval_and(e, ret);

	for (; r == 0 && cuv_marker_looks_at_word(e->scan, "or"); cuv_scan_skip_blanks(e->scan)) {
		bool more = false;

		e->scan->pos += 2;
		r = eval_and(e, &more);
		*ret = *ret || more;
	}
	return r;
}

int cuv_marker_eval(struct cuv_scan *s, const struct cuv_marker_env *env, bool *ret)
{
	const char *dot = strchr(env->python_full, '.');
	size_t minor = dot ? (size_t)(dot - env->python_full) + 1 + strspn(dot + 1, "0123456789") : 0;
	struct eval e = {.scan = s, .env = env};

	(void)snprintf(e.minor, sizeof(e.minor), "%.*s", (int)minor, env->python_full);
	*ret = false;
	if (eval_or(&e, ret) < 0)
		return -EINVAL;
	if (!cuv_scan_at_end(s))
		return cuv_scan_fail(s, s->pos, CUV_E_LOCK_INVALID, "after a comparison stands `and`, `or` or nothing");
	return 0;
}

bool cuv_marker_holds(const char *marker, const char *python_full)
{
	const struct cuv_marker_env env = {.python_full = python_full};
	struct cuv_scan s = CUV_SCAN_INIT(marker, strlen(marker));
	bool ret = true;

	return s.len == 0 || cuv_marker_eval(&s, &env, &ret) < 0 || ret;
}
