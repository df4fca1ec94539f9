/* SPDX-License-Identifier: MIT */
#include "manager/ruff/lint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beyond these a file is too complex to be linted in passing. */
#define LINT_WALL_MS 5000
#define LINT_MEMORY_BYTES (256 * CUV_MIB)
#define LINT_STDERR_BYTES 65536
#define LINT_SCRATCH_BYTES CUV_MIB

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

static int fill(const struct cuv_tools *tools, const char *run_id, const char *const *arg, struct cuv_run *ret)
{
	_cleanup_run_ struct cuv_run m = CUV_RUN_INIT;
	int r;

	snprintf(m.run_id, sizeof(m.run_id), "%s", run_id);
	snprintf(m.image, sizeof(m.image), "%s", tools->pythons[0].image);
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

int cuv_lint_run(enum cuv_lint_tool tool, const struct cuv_lint_settings *settings, const struct cuv_python *python,
		 const struct cuv_tools *tools, const char *run_id, struct cuv_run *ret)
{
	const bool check = tool == CUV_LINT_CHECK, line = settings && settings->line_length;
	char target[CUV_LINT_TARGET_SIZE], length[sizeof("--line-length=") + 10];
	char select[sizeof("--select=") + sizeof(settings->select)];
	const char *arg[16];
	size_t n = 0;

	cuv_lint_target(settings, python, target);
	arg[n++] = check ? "check" : "format";
	arg[n++] = "--isolated";
	arg[n++] = "--no-cache";
	arg[n++] = "--target-version";
	arg[n++] = target;
	if (line) {
		(void)snprintf(length, sizeof(length), "--line-length=%u", settings->line_length);
		arg[n++] = length;
	}
	if (check && settings && settings->select[0]) {
		(void)snprintf(select, sizeof(select), "--select=%s", settings->select);
		arg[n++] = select;
	}
	if (check) {
		arg[n++] = "--output-format=json";
		arg[n++] = "--exit-zero";
	}
	arg[n++] = "--stdin-filename";
	arg[n++] = "main.py";
	arg[n++] = "-";
	arg[n] = NULL;
	return fill(tools, run_id, arg, ret);
}

int cuv_lint_server_run(const struct cuv_tools *tools, struct cuv_run *ret)
{
	static const char *const server[] = {"server", NULL};
	int r = fill(tools, "ruff-server", server, ret);

	if (r < 0)
		return r;
	ret->stream = ret->kept = true;
	ret->limits.value[CUV_LIMIT_WALL] = ret->limits.value[CUV_LIMIT_CPU_TIME] = CUV_LINT_SERVER_MS;
	return 0;
}

/* ruff writes null, or no code, for what its parser says. */
static bool is_syntax_error(const json_t *item)
{
	const char *code = json_string_value(json_object_get(item, "code"));

	return !code || strcmp(code, CUV_LINT_SYNTAX) == 0;
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
	const char *code = is_syntax_error(item) ? CUV_LINT_SYNTAX : json_string_value(json_object_get(item, "code"));

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

struct entry {
	json_int_t row, column;
	const char *code, *message; /* borrowed */
	json_t *warning;	    /* borrowed */
};

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	r = strcmp(x->code, y->code);
	return r ? r : strcmp(x->message, y->message);
}

static const char *text_of(const json_t *warning, const char *key)
{
	const char *text = json_string_value(json_object_get(warning, key));

	return text ? text : "";
}

json_t *cuv_lint_sorted(json_t *warnings)
{
	const size_t n = json_array_size(warnings);
	struct entry *e = warnings ? calloc(n + 1, sizeof(*e)) : NULL;
	json_t *list = e ? json_array() : NULL, *w;
	size_t i;

	for (i = 0; e && i < n; i++) {
		w = json_array_get(warnings, i);
		e[i] = (struct entry){.row = json_integer_value(json_object_get(w, "row")),
				      .column = json_integer_value(json_object_get(w, "column")),
				      .code = text_of(w, "code"),
				      .message = text_of(w, "message"),
				      .warning = w};
	}
	if (e)
		qsort(e, n, sizeof(*e), compare);
	for (i = 0; list && i < CUV_MIN(n, (size_t)CUV_LINT_WARNINGS_MAX); i++)
		json_array_append(list, e[i].warning);
	free(e);
	json_decref(warnings);
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
	json_array_foreach(list, i, item) if (!syntax_only || is_syntax_error(item))
		json_array_append_new(ret, map_warning(item));
	json_decref(list);
	ret = cuv_lint_sorted(ret);
	while (syntax_only && json_array_size(ret) > 1)
		json_array_remove(ret, json_array_size(ret) - 1);
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
