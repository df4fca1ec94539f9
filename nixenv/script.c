/* SPDX-License-Identifier: MIT */
#include "nixenv/script.h"

#include "nixenv/pep440_compare.h"
#include "nixenv/pep440_specifier.h"
#include "nixenv/requirements_line.h"
#include "nixenv/requirements_result.h"
#include "nixenv/requirements_text.h"
#include "nixenv/script_block.h"
#include "nixenv/toml.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* One header being read. */
struct reading {
	const char *code;
	size_t len;
	const char *name;
	struct cuv_script_block block;
	struct cuv_toml doc;
	struct cuv_script script;
	struct cuv_error *err;
};

static void reading_done(struct reading *r)
{
	cuv_script_block_done(&r->block);
	cuv_toml_done(&r->doc);
	cuv_script_done(&r->script);
}

void cuv_script_done(struct cuv_script *s)
{
	cuv_requirements_free(s->requirements);
	free(s->requires_python);
	free(s->python_text);
	*s = CUV_SCRIPT_INIT;
}

/* A failure at an offset of the program. */
static int fail_at(struct reading *r, enum cuv_error_code code, size_t at, const char *message)
{
	int e = cuv_requirements_fail_at(r->err, code, r->code, r->len, at, message);

	cuv_error_copy_text(r->err->file, sizeof(r->err->file), r->name, strlen(r->name));
	return e;
}

/* Where a value stands in the program. */
static size_t place_of(const struct reading *r, const json_t *value)
{
	return cuv_script_block_place(&r->block, cuv_toml_offset(&r->doc, value));
}

static int invalid(struct reading *r, const json_t *value, const char *message)
{
	return fail_at(r, CUV_E_SCRIPT_INVALID, place_of(r, value), message);
}

/* A failure inside a string: at its character where it stands in the program as it
 * is, else at the string. */
static int fail_string(struct reading *r, const json_t *value, const struct cuv_scan *s)
{
	size_t at = cuv_toml_offset(&r->doc, value), quotes = 1;
	const struct cuv_buf *toml = &r->block.toml;

	while (quotes < 3 && at + quotes < toml->len && toml->data[at + quotes] == toml->data[at])
		quotes++;
	if (quotes != 2 && at + quotes + s->len <= toml->len && memcmp(toml->data + at + quotes, s->text, s->len) == 0)
		at += quotes + s->fail_pos;
	return fail_at(r, s->code, cuv_script_block_place(&r->block, at), s->message);
}

/* What only a requirements file may have on its lines. */
static int check_dependency(struct cuv_scan *s)
{
	for (size_t i = 0; i < s->len; i++) {
		if (s->text[i] < ' ' && s->text[i] != '\t' && (unsigned char)s->text[i] < 0x80)
			return cuv_scan_fail(s, i, CUV_E_REQUIREMENT_INVALID, "a requirement has one line");
		if (i > 0 && !cuv_is_blank(s->text[i - 1]))
			continue;
		if (s->text[i] == '-')
			return cuv_scan_fail(s, i, CUV_E_REQUIREMENT_UNSUPPORTED,
					     "options like --hash stand in requirements files only");
		if (s->text[i] == '#')
			return cuv_scan_fail(s, i, CUV_E_REQUIREMENT_INVALID,
					     "a comment stands behind the string, not in it");
	}
	return cuv_requirement_line_check(s);
}

static int add_dependency(struct reading *r, const json_t *value)
{
	struct cuv_requirements *reqs = r->script.requirements;
	size_t at = place_of(r, value);
	struct cuv_scan s;
	int e;

	if (!json_is_string(value))
		return invalid(r, value, "`dependencies` is a list of texts, as in [\"requests<3\", \"rich\"]");
	s = CUV_SCAN_INIT(json_string_value(value), json_string_length(value));
	if (reqs->n >= CUV_REQUIREMENTS_MAX)
		return fail_at(r, CUV_E_TOO_LARGE, at, "there are too many dependencies");
	cuv_scan_skip_blanks(&s);
	e = check_dependency(&s);
	if (e == 0)
		e = cuv_requirements_reserve(reqs, false);
	if (e == 0)
		e = cuv_requirement_line_parse(&s, &reqs->items[reqs->n++]);
	if (e < 0)
		return s.code == CUV_E_NONE ? e : fail_string(r, value, &s);
	return cuv_requirements_note(reqs, r->code, r->len, at);
}

static int read_dependencies(struct reading *r, const json_t *list)
{
	const json_t *value;
	size_t i;
	int e = 0;

	if (!json_is_array(list))
		return invalid(r, list, "`dependencies` is a list of texts, as in [\"requests<3\", \"rich\"]");
	for (i = 0; e == 0 && i < json_array_size(list); i++) {
		value = json_array_get(list, i);
		e = add_dependency(r, value);
	}
	return e;
}

static int read_python(struct reading *r, const json_t *value)
{
	_cleanup_buf_ struct cuv_buf normal = CUV_BUF_INIT(CUV_SCRIPT_BYTES_MAX);
	char excerpt[sizeof(r->err->excerpt)];
	struct cuv_error where;
	struct cuv_scan s;
	int e;

	if (!json_is_string(value))
		return invalid(r, value, "`requires-python` is a text, as in \">=3.11\"");
	s = CUV_SCAN_INIT(json_string_value(value), json_string_length(value));
	cuv_scan_skip_blanks(&s);
	e = cuv_scan_at_end(&s) ? 0 : cuv_specifiers_parse(&s, &normal);
	cuv_scan_skip_blanks(&s);
	if (e == 0 && !cuv_scan_at_end(&s))
		e = cuv_scan_fail(&s, s.pos, CUV_E_REQUIREMENT_INVALID,
				  "`requires-python` holds version specifiers, as in >=3.11,<4");
	if (e < 0)
		return s.code == CUV_E_NONE ? e : fail_string(r, value, &s);
	(void)cuv_requirements_fail_at(&where, CUV_E_SCRIPT_INVALID, r->code, r->len, place_of(r, value), "");
	cuv_requirements_excerpt(r->code, r->len, place_of(r, value), excerpt);
	free(r->script.requires_python);
	r->script.requires_python = cuv_buf_take(&normal, NULL);
	r->script.python_line = where.line;
	r->script.python_column = where.column;
	r->script.python_text = strdup(excerpt);
	return r->script.requires_python && r->script.python_text ? 0 : -ENOMEM;
}

static int read_table(struct reading *r)
{
	static const char unknown[] =
		"a script's header has `dependencies`, `requires-python` and `[tool]`, and nothing else";
	static const char no_tools[] = "settings of tools have no effect here";
	struct cuv_requirements *reqs = r->script.requirements;
	const json_t *value;
	const char *key;
	int e = 0;

	json_object_foreach(r->doc.root, key, value)
	{
		if (strcmp(key, "dependencies") == 0) {
			e = read_dependencies(r, value);
		} else if (strcmp(key, "requires-python") == 0) {
			e = read_python(r, value);
		} else if (strcmp(key, "tool") == 0 && json_is_object(value)) {
			reqs->ignored[reqs->n_ignored++] = (struct cuv_requirements_ignored){
				.line = cuv_requirements_line_of(r->code, r->len, place_of(r, value)),
				.name = "[tool]",
				.reason = no_tools};
		} else {
			e = invalid(r, value, unknown);
		}
		if (e < 0)
			return e;
	}
	return 0;
}

static int read_block(struct reading *r)
{
	struct cuv_toml_error where;
	char message[CUV_SCAN_MESSAGE_SIZE];
	int e = cuv_toml_read(cuv_buf_str(&r->block.toml), r->block.toml.len, &r->doc, &where);

	if (e == -EINVAL) {
		(void)snprintf(message, sizeof(message), "the script's header is TOML, and this is %s", where.reason);
		return fail_at(r, CUV_E_SCRIPT_INVALID, cuv_script_block_place(&r->block, where.offset), message);
	}
	r->script.requirements = e == 0 ? cuv_requirements_new() : NULL;
	r->script.requires_python = strdup("");
	if (!r->script.requirements || !r->script.requires_python ||
	    cuv_strv_add(&r->script.requirements->files, r->name) < 0)
		return -ENOMEM;
	r->script.requirements->named = true;
	e = read_table(r);
	if (e == 0)
		cuv_requirements_fold(r->script.requirements);
	return e;
}

int cuv_script_read(const char *code, size_t len, const char *name, struct cuv_script *ret, struct cuv_error *err)
{
	_cleanup_(reading_done) struct reading r = {.code = code, .len = len, .name = name, .err = err};
	const char *reason;
	size_t at;
	int e = cuv_script_block_find(code, len, &r.block, &at, &reason);

	if (e == 0)
		return 0;
	if (e == -EINVAL)
		return fail_at(&r, CUV_E_SCRIPT_INVALID, at, reason);
	e = e < 0 ? e : read_block(&r);
	if (e == -ENOMEM)
		(void)cuv_error_set(err, CUV_E_INTERNAL, "there was not enough memory to read the script's header");
	if (e < 0)
		return e;
	*ret = r.script;
	r.script = CUV_SCRIPT_INIT;
	return 1;
}

static bool takes(const struct cuv_script *s, const struct cuv_python *p)
{
	struct cuv_scan scan = CUV_SCAN_INIT(s->requires_python, strlen(s->requires_python));
	struct cuv_version v;
	bool fits;

	return cuv_version_parse(p->full, strlen(p->full), &v) == CUV_VERSION_OK &&
	       cuv_specifiers_take(&scan, &v, &fits) == 0 && fits;
}

const struct cuv_python *cuv_script_python(const struct cuv_script *s, const struct cuv_python *wanted,
					   struct cuv_error *err)
{
	const struct cuv_python *last = wanted ? wanted : &cuv_pythons[0];

	if (s->requires_python[0] == '\0')
		return last;
	for (size_t i = 0; i < cuv_pythons_n; i++)
		if ((!wanted || wanted == &cuv_pythons[i]) && takes(s, &cuv_pythons[i]))
			return &cuv_pythons[i];
	(void)cuv_error_set_at(err, CUV_E_REQUIREMENTS_UNRESOLVABLE, s->python_line, s->python_column, s->python_text,
			       strlen(s->python_text), "the script needs Python %.200s, and %s %s", s->requires_python,
			       wanted ? "this one is" : "the service has none such; its first is", last->full);
	cuv_error_copy_text(err->file, sizeof(err->file), s->requirements->files.items[0],
			    strlen(s->requirements->files.items[0]));
	return NULL;
}
