/* SPDX-License-Identifier: MIT */
#include "manager/lint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Beyond these a file is too complex to be linted in passing. */
#define LINT_WALL_MS 5000
#define LINT_MEMORY_BYTES (256 * CUV_MIB)
#define LINT_STDERR_BYTES 65536
#define LINT_SCRATCH_BYTES CUV_MIB
#define LINT_WARNINGS_MAX 10000

static void set_limits(struct cuv_limits *l)
{
	cuv_limits_default(l);
	l->value[CUV_LIMIT_WALL] = LINT_WALL_MS;
	l->value[CUV_LIMIT_CPU_TIME] = LINT_WALL_MS;
	l->value[CUV_LIMIT_MEMORY] = LINT_MEMORY_BYTES;
	l->value[CUV_LIMIT_STDOUT] = CUV_LINT_OUT_MAX;
	l->value[CUV_LIMIT_STDERR] = LINT_STDERR_BYTES;
	l->value[CUV_LIMIT_PROCESSES] = 32;
	l->value[CUV_LIMIT_DESCRIPTORS] = 64;
	l->value[CUV_LIMIT_WORK] = LINT_SCRATCH_BYTES;
	l->value[CUV_LIMIT_WORK_INODES] = 64;
	l->value[CUV_LIMIT_TMP] = LINT_SCRATCH_BYTES;
	l->value[CUV_LIMIT_SHM] = LINT_SCRATCH_BYTES;
	l->value[CUV_LIMIT_FILE] = LINT_SCRATCH_BYTES;
}

int cuv_lint_run(enum cuv_lint_tool tool, const struct cuv_tools *tools, const char *run_id, struct cuv_run *ret)
{
	static const char *const format[] = {"format",		 "--isolated", "--no-cache",
					     "--target-version", "py311",      "--stdin-filename",
					     "main.py",		 "-",	       NULL};
	static const char *const check[] = {
		"check", "--isolated",	"--no-cache",	    "--target-version", "py311", "--output-format",
		"json",	 "--exit-zero", "--stdin-filename", "main.py",		"-",	 NULL};
	const char *const *arg = tool == CUV_LINT_FORMAT ? format : check;
	_cleanup_run_ struct cuv_run m = CUV_RUN_INIT;
	int r;

	snprintf(m.run_id, sizeof(m.run_id), "%s", run_id);
	snprintf(m.image, sizeof(m.image), "%s", tools->image);
	r = cuv_strv_add(&m.closure, tools->ruff);
	if (r == 0)
		r = cuv_strv_addf(&m.argv, "/nix/store/%s/bin/ruff", tools->ruff);
	for (; r == 0 && *arg; arg++)
		r = cuv_strv_add(&m.argv, *arg);
	if (r < 0)
		return r;
	set_limits(&m.limits);
	*ret = m;
	m = CUV_RUN_INIT;
	return 0;
}

/* ruff writes null, or no code, for what its parser says. */
static bool is_syntax_error(const json_t *item)
{
	const char *code = json_string_value(json_object_get(item, "code"));

	return !code || strcmp(code, "invalid-syntax") == 0;
}

static json_int_t place(const json_t *item, const char *end, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(item, end), key));
}

static json_t *or_null(json_t *borrowed)
{
	return borrowed ? json_incref(borrowed) : json_null();
}

static json_t *map_edit(json_t *edit)
{
	return json_pack("{s:o, s:I, s:I, s:I, s:I}", "content", or_null(json_object_get(edit, "content")), "row",
			 place(edit, "location", "row"), "column", place(edit, "location", "column"), "end_row",
			 place(edit, "end_location", "row"), "end_column", place(edit, "end_location", "column"));
}

static json_t *map_fix(json_t *fix)
{
	json_t *edits, *edit;
	size_t i;

	if (!json_is_object(fix))
		return json_null();
	edits = json_array();
	json_array_foreach(json_object_get(fix, "edits"), i, edit) json_array_append_new(edits, map_edit(edit));
	return json_pack("{s:o, s:o}", "message", or_null(json_object_get(fix, "message")), "edits", edits);
}

static json_t *map_warning(json_t *item)
{
	const char *code = is_syntax_error(item) ? "invalid-syntax" : json_string_value(json_object_get(item, "code"));

	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "code", code, "message",
			 or_null(json_object_get(item, "message")), "row", place(item, "location", "row"), "column",
			 place(item, "location", "column"), "end_row", place(item, "end_location", "row"), "end_column",
			 place(item, "end_location", "column"), "url", or_null(json_object_get(item, "url")), "fix",
			 map_fix(json_object_get(item, "fix")));
}

static json_t *load(const char *text, size_t len)
{
	json_error_t why;
	json_t *list = len == 0 ? json_array() : json_loadb(text, len, 0, &why);

	if (list && !json_is_array(list)) {
		json_decref(list);
		return NULL;
	}
	return list;
}

json_t *cuv_lint_warnings(const char *text, size_t len, bool syntax_only)
{
	json_t *list = load(text, len), *ret = json_array(), *item;
	size_t i;

	if (!list) {
		json_decref(ret);
		return NULL;
	}
	json_array_foreach(list, i, item)
	{
		if (syntax_only && !is_syntax_error(item))
			continue;
		json_array_append_new(ret, map_warning(item));
		if (syntax_only || json_array_size(ret) >= LINT_WARNINGS_MAX)
			break;
	}
	json_decref(list);
	return ret;
}

bool cuv_lint_has_syntax_error(const char *text, size_t len)
{
	json_t *list = load(text, len), *item;
	bool found = false;
	size_t i;

	json_array_foreach(list, i, item) found = found || is_syntax_error(item);
	json_decref(list);
	return found;
}
