/* SPDX-License-Identifier: MIT */
#include "manager/lint_settings.h"

#include "lib/base/embed.h"
#include "lib/base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Those that ruff has. */
#define MINOR_MIN 7
#define MINOR_MAX 15

/* manager/ruff/rules.txt: lines of letters and the numbers that there are with them. */
extern const struct cuv_embedded cuv_ruff_rules[];

static bool starts_with(const char *text, size_t len, const char *start, size_t start_len)
{
	return len >= start_len && memcmp(text, start, start_len) == 0;
}

/* Whether one of the numbers of a line begins so. */
static bool has_number(const char *line, size_t len, const char *digits, size_t n)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] == ' ' && starts_with(line + i + 1, len - i - 1, digits, n))
			return true;
	return false;
}

/* A code, or what codes begin with: E, E5, E501. Its letters are those of a code, but for
 * the two groups that ruff has. */
static bool is_selector(const char *text, size_t len)
{
	const char *at = (const char *)cuv_ruff_rules->data, *end = at + cuv_ruff_rules->len;
	size_t letters = 0;

	while (letters < len && isupper((unsigned char)text[letters]))
		letters++;
	if ((len == 3 && memcmp(text, "ALL", 3) == 0) || (len == 2 && memcmp(text, "PL", 2) == 0))
		return true;
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		const size_t line = (size_t)((stop ? stop : end) - at);

		if (*at != '#' && line > letters && at[letters] == ' ' && memcmp(at, text, letters) == 0)
			return has_number(at + letters, line - letters, text + letters, len - letters);
		at += line + 1;
	}
	return false;
}

static int not_a_rule(const char *what, const char *text, size_t len, struct cuv_error *err)
{
	char shown[CUV_LINT_SELECTOR_SIZE];

	cuv_error_copy_text(shown, sizeof(shown), text, len);
	return cuv_error_set(err, CUV_E_FIELD_INVALID,
			     "%s: `%s` is no rule of ruff's, nor the beginning of any: codes as F401, E5, PL or ALL, "
			     "with commas between them",
			     what, shown);
}

static int add_selector(const char *what, const char *text, size_t len, struct cuv_lint_settings *ret,
			struct cuv_error *err)
{
	const size_t have = strlen(ret->select);
	size_t n = have > 0;

	if (len == 0 || len >= CUV_LINT_SELECTOR_SIZE || !is_selector(text, len))
		return not_a_rule(what, text, len, err);
	for (const char *at = ret->select; (at = strchr(at, ',')); at++)
		n++;
	if (n == CUV_LINT_SELECT_MAX)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "%s has more than %d rules", what, CUV_LINT_SELECT_MAX);
	(void)snprintf(ret->select + have, sizeof(ret->select) - have, "%s%.*s", have ? "," : "", (int)len, text);
	return 0;
}

static int read_array(const char *what, const char *text, struct cuv_lint_settings *ret, struct cuv_error *err)
{
	json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *item;
	int r = 0;
	size_t i;

	if (!json_is_array(list))
		r = cuv_error_set(err, CUV_E_FIELD_INVALID, "%s must be a JSON array of strings, or codes with commas",
				  what);
	json_array_foreach(list, i, item)
	{
		const char *s = json_string_value(item);

		if (r == 0)
			r = s ? add_selector(what, s, json_string_length(item), ret, err)
			      : cuv_error_set(err, CUV_E_FIELD_INVALID, "item %zu of %s is not a string", i + 1, what);
	}
	json_decref(list);
	return r;
}

int cuv_lint_select_read(const char *what, const char *text, struct cuv_lint_settings *ret, struct cuv_error *err)
{
	int r = 0;

	ret->select[0] = '\0';
	if (text[0] == '[') {
		r = read_array(what, text, ret, err);
	} else {
		for (const char *at = text; r == 0 && *(at += strspn(at, ", \t"));) {
			const size_t n = strcspn(at, ", \t");

			r = add_selector(what, at, n, ret, err);
			at += n;
		}
	}
	/* No rule at all would mean ruff's own to some and none to others. */
	if (r == 0 && !ret->select[0])
		r = cuv_error_set(err, CUV_E_FIELD_INVALID, "%s names no rule", what);
	return r;
}

int cuv_lint_line_read(const char *what, const char *text, struct cuv_lint_settings *ret, struct cuv_error *err)
{
	uint64_t n;

	if (cuv_parse_u64(text, CUV_LINT_LINE_MAX, &n) < 0 || n == 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "%s must be a whole number from 1 to %d", what,
				     CUV_LINT_LINE_MAX);
	ret->line_length = (unsigned)n;
	return 0;
}

int cuv_lint_target_read(const char *what, const char *text, struct cuv_lint_settings *ret, struct cuv_error *err)
{
	const char *minor = strncmp(text, "py3", 3) == 0 ? text + 3 : "";
	uint64_t n;

	if (cuv_parse_u64(minor, MINOR_MAX, &n) < 0 || n < MINOR_MIN || *minor == '0')
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "%s must be one of py3%d to py3%d", what, MINOR_MIN,
				     MINOR_MAX);
	ret->minor = (unsigned)n;
	return 0;
}

static unsigned minor_of(const struct cuv_lint_settings *settings, const struct cuv_python *python)
{
	return settings && settings->minor ? settings->minor : (unsigned)python->minor;
}

void cuv_lint_target(const struct cuv_lint_settings *settings, const struct cuv_python *python,
		     char ret[CUV_LINT_TARGET_SIZE])
{
	(void)snprintf(ret, CUV_LINT_TARGET_SIZE, "py3%u", minor_of(settings, python));
}

void cuv_lint_settings_text(const struct cuv_lint_settings *settings, const struct cuv_python *python,
			    char ret[CUV_LINT_SETTINGS_TEXT_SIZE])
{
	(void)snprintf(ret, CUV_LINT_SETTINGS_TEXT_SIZE, "py3%u %u %s", minor_of(settings, python),
		       settings ? settings->line_length : 0, settings ? settings->select : "");
}

bool cuv_lint_settings_kept(const struct cuv_lint_settings *settings, const struct cuv_python *python)
{
	return minor_of(settings, python) == (unsigned)cuv_pythons->minor &&
	       (!settings || (!settings->line_length && !settings->select[0]));
}
