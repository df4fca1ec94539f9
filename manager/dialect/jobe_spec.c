/* SPDX-License-Identifier: MIT */
#include "manager/dialect/jobe_spec.h"

#include "lib/base/utf8.h"
#include "manager/dialect/jobe_files.h"
#include "manager/dialect/jobe_words.h"
#include "manager/json_form.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_BYTES 100
#define NAME_DEFAULT "prog.py"
#define NUMBER_MAX 32
#define LETTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
/* argv[0], the program's name and their NULs. */
#define ARGS_OURS_BYTES 512
/* Options that change nothing of a run here: no file is written beside a module that
 * would be seen again, and no variable of Python's is set. */
#define IDLE_OPTIONS "BEqs"

/* What a run has that says nothing: X(limit, "parameter", value, what one of it is). */
#define PARAMETERS(X)                                                                                                  \
	X(CPU_TIME, "cputime", 5, 1000)                                                                                \
	X(MEMORY, "memorylimit", 1000, CUV_JOBE_MB)                                                                    \
	X(FILE, "disklimit", 20, CUV_JOBE_MB)                                                                          \
	X(STDOUT, "streamsize", 2, CUV_JOBE_MB)                                                                        \
	X(STDERR, "streamsize", 2, CUV_JOBE_MB)                                                                        \
	X(PROCESSES, "numprocs", 30, 1)

static int bad(struct cuv_error *err, const char *text)
{
	return cuv_error_set(err, CUV_E_FIELD_INVALID, "%s", text);
}

/* A string without a NUL in it. */
static const char *text_of(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

json_t *cuv_jobe_parse(const char *text, size_t len, struct cuv_error *err)
{
	json_error_t why;
	json_t *body;

	if (cuv_json_check_size(text, len, err) < 0)
		return NULL;
	body = json_loadb(text, len, JSON_ALLOW_NUL, &why);
	if (json_is_object(body))
		return body;
	if (body)
		cuv_error_set(err, CUV_E_BAD_JSON, "the body must be a JSON object");
	else {
		char shown[JSON_ERROR_TEXT_LENGTH];

		cuv_error_copy_text(shown, sizeof(shown), why.text, strlen(why.text));
		cuv_error_set(err, CUV_E_BAD_JSON, "the body is not JSON: %s (line %d, column %d)", shown, why.line,
			      why.column);
	}
	json_decref(body);
	return NULL;
}

/* --- the program --- */

static int read_language(const json_t *run, struct cuv_error *err)
{
	const char *id = text_of(json_object_get(run, "language_id"));
	char shown[64];

	if (!id)
		return bad(err, "run_spec needs the string `language_id`");
	if (strcasecmp(id, CUV_JOBE_LANGUAGE) == 0)
		return 0;
	cuv_error_copy_text(shown, sizeof(shown), id, strlen(id));
	return cuv_error_set(err, CUV_E_FIELD_INVALID, "the language `%s` is not there; `%s` is", shown,
			     CUV_JOBE_LANGUAGE);
}

static int read_source(const json_t *run, struct cuv_jobe_spec *s, struct cuv_error *err)
{
	const json_t *source = json_object_get(run, "sourcecode"), *input = json_object_get(run, "input");

	if (!json_is_string(source))
		return cuv_error_set(err, CUV_E_CODE_MISSING, "run_spec needs the string `sourcecode`");
	if (input && !json_is_string(input) && !json_is_null(input))
		return bad(err, "`input` must be a string");
	s->source = json_string_value(source);
	s->source_len = json_string_length(source);
	s->input = json_is_string(input) ? json_string_value(input) : "";
	s->input_len = json_string_length(input);
	if (s->source_len > CUV_CODE_BYTES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "`sourcecode` has more than %llu bytes", CUV_CODE_BYTES_MAX);
	if (s->input_len > CUV_STDIN_BYTES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "`input` has more than %llu bytes", CUV_STDIN_BYTES_MAX);
	return 0;
}

/* One component, and not hidden. */
static bool is_source_name(const char *name)
{
	const char *c;

	for (c = name; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f || strchr("<>:\"/\\|?*#[]@!$&'()+,;={}^~`", *c))
			return false;
	return c > name && c - name <= NAME_MAX_BYTES && *name != '.' && *name != '-';
}

static int read_name(const json_t *run, struct cuv_jobe_spec *s, struct cuv_error *err)
{
	const json_t *name = json_object_get(run, "sourcefilename");

	s->name = NAME_DEFAULT;
	if (!name || json_is_null(name) || (json_is_string(name) && json_string_length(name) == 0))
		return 0;
	s->name = text_of(name);
	if (s->name && is_source_name(s->name))
		return 0;
	return bad(err, "`sourcefilename` must be a plain file name without folders and without signs that mean "
			"something to a shell or a URL");
}

/* --- files --- */

/* Letters, digits and - _ . with a letter or a digit among them. */
static bool is_file_name(const char *name)
{
	const size_t len = strspn(name, LETTERS "-_.");

	return len <= NAME_MAX_BYTES && name[len] == '\0' && name[strcspn(name, LETTERS)] != '\0';
}

static int read_file(const json_t *pair, struct cuv_jobe_spec *s, struct cuv_error *err)
{
	const size_t n = json_array_size(pair);
	const char *id = text_of(json_array_get(pair, 0)), *name = text_of(json_array_get(pair, 1));

	if ((n != 2 && n != 3) || !id || !name || !cuv_jobe_id_valid(id) || !is_file_name(name))
		return cuv_error_set(
			err, CUV_E_FIELD_INVALID,
			"item %zu of `file_list` must be [id, name]: the id of %d to %d letters and digits, "
			"the name of at most %d of them and - _ .",
			s->n_files + 1, CUV_JOBE_ID_MIN, CUV_JOBE_ID_MAX, NAME_MAX_BYTES);
	if (strcmp(name, s->name) == 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "item %zu of `file_list` has the program's own name",
				     s->n_files + 1);
	for (size_t i = 0; i < s->n_files; i++)
		if (strcmp(name, s->files[i].name) == 0)
			return cuv_error_set(err, CUV_E_FIELD_INVALID, "`file_list` has the name `%s` twice", name);
	s->files[s->n_files].id = id;
	s->files[s->n_files++].name = name;
	return 0;
}

static int read_files(const json_t *run, struct cuv_jobe_spec *s, struct cuv_error *err)
{
	const json_t *list = json_object_get(run, "file_list"), *pair;
	size_t i;
	int r = 0;

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list) || json_array_size(list) > CUV_JOBE_FILES_MAX)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "`file_list` must be a list of at most %d files",
				     CUV_JOBE_FILES_MAX);
	json_array_foreach(list, i, pair)
	{
		r = read_file(pair, s, err);
		if (r < 0)
			break;
	}
	return r;
}

/* --- parameters --- */

/* A number, or a string that is one. */
static bool number(const json_t *value, double *ret)
{
	const char *text = text_of(value);
	char *end;

	if (json_is_number(value)) {
		*ret = json_number_value(value);
		return true;
	}
	if (!text || !*text || strlen(text) > NUMBER_MAX || text[strspn(text, "0123456789+-.eE")])
		return false;
	*ret = strtod(text, &end);
	return *end == '\0' && isfinite(*ret);
}

/* What is no number is as if it were not there, as is what can't be meant: 0 of time or
 * processes. No memory limit (0) and no disk limit (-1) are the largest that there are. */
static uint64_t limit_of(enum cuv_limit limit, const json_t *value, double usual, double unit)
{
	const double max = (double)cuv_limit_info(limit)->max;
	double given, amount;

	if (!number(value, &given))
		given = usual;
	if ((limit == CUV_LIMIT_MEMORY && given == 0) || (limit == CUV_LIMIT_FILE && given < 0))
		return cuv_limit_info(limit)->max;
	amount = (given > 0 ? given : usual) * unit;
	return (uint64_t)CUV_MAX(CUV_MIN(amount, max), 1.0);
}

static int read_limits(const json_t *parameters, struct cuv_jobe_spec *s, struct cuv_error *err)
{
	uint64_t *v = s->limits.value;

	cuv_limits_default(&s->limits);
#define X(limit, name, usual, unit)                                                                                    \
	v[CUV_LIMIT_##limit] = limit_of(CUV_LIMIT_##limit, json_object_get(parameters, name), usual, unit);
	PARAMETERS(X)
#undef X
	if (v[CUV_LIMIT_CPU_TIME] > CUV_JOBE_CPU_S_MAX * 1000)
		return cuv_error_set(err, CUV_E_LIMIT_EXCEEDED, "`cputime` is above its maximum of %d s",
				     CUV_JOBE_CPU_S_MAX);
	v[CUV_LIMIT_WALL] = 2 * v[CUV_LIMIT_CPU_TIME];
	/* Runs whose folder is the usual one are warm. */
	v[CUV_LIMIT_WORK] = CUV_MAX(v[CUV_LIMIT_WORK], v[CUV_LIMIT_FILE]);
	return 0;
}

static int read_words(const json_t *parameters, const char *name, struct cuv_strv *ret, struct cuv_error *err)
{
	const json_t *list = json_object_get(parameters, name), *item;
	char what[32];
	size_t i;
	int r = 0;

	if (!list || json_is_null(list))
		return 0;
	(void)snprintf(what, sizeof(what), "`%s`", name);
	if (!json_is_array(list))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "%s must be a list of strings", what);
	json_array_foreach(list, i, item)
	{
		const char *text = text_of(item);

		r = text ? cuv_jobe_words(what, text, ret, err)
			 : cuv_error_set(err, CUV_E_FIELD_INVALID, "%s must be a list of strings", what);
		if (r < 0)
			break;
	}
	return r;
}

static bool is_idle(const char *option)
{
	return option[0] == '-' && option[1] && option[1 + strspn(option + 1, IDLE_OPTIONS)] == '\0';
}

/* Only while all are idle: one that is not may have the next word for itself (-W). */
static void drop_idle(struct cuv_strv *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (!is_idle(v->items[i]))
			return;
	cuv_strv_done(v);
}

static int check_args(const struct cuv_jobe_spec *s, struct cuv_error *err)
{
	const struct cuv_strv *const lists[] = {&s->interpreter_args, &s->run_args};
	size_t n = 0, total = ARGS_OURS_BYTES;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (size_t k = 0; k < lists[i]->n; k++, n++) {
			const size_t len = strlen(lists[i]->items[k]);

			total += len + 1;
			if (n == CUV_ARGS_MAX || len > CUV_ARG_BYTES_MAX || total > CUV_ARGS_BYTES_MAX)
				return cuv_error_set(
					err, CUV_E_FIELD_INVALID,
					"the arguments pass their bounds: %d of them, %d bytes each, %d in all",
					CUV_ARGS_MAX, CUV_ARG_BYTES_MAX, CUV_ARGS_BYTES_MAX - ARGS_OURS_BYTES);
		}
	return 0;
}

static int read_parameters(const json_t *run, struct cuv_jobe_spec *s, struct cuv_error *err)
{
	const json_t *parameters = json_object_get(run, "parameters");
	int r;

	if (parameters && !json_is_object(parameters) && !json_is_null(parameters) &&
	    !(json_is_array(parameters) && json_array_size(parameters) == 0))
		return bad(err, "`parameters` must be an object");
	r = read_limits(parameters, s, err);
	if (r == 0)
		r = read_words(parameters, "runargs", &s->run_args, err);
	if (r == 0)
		r = read_words(parameters, "interpreterargs", &s->interpreter_args, err);
	if (r == 0)
		drop_idle(&s->interpreter_args);
	return r == 0 ? check_args(s, err) : r;
}

int cuv_jobe_spec_read(const char *text, size_t len, struct cuv_jobe_spec *ret, struct cuv_error *err)
{
	const json_t *run;
	int r;

	*ret = (struct cuv_jobe_spec){.body = cuv_jobe_parse(text, len, err)};
	if (!ret->body)
		return -EINVAL;
	run = json_object_get(ret->body, "run_spec");
	if (!json_is_object(run))
		return bad(err, "the body must have the object `run_spec`");
	r = read_language(run, err);
	if (r == 0)
		r = read_source(run, ret, err);
	if (r == 0)
		r = read_name(run, ret, err);
	if (r == 0)
		r = read_files(run, ret, err);
	return r == 0 ? read_parameters(run, ret, err) : r;
}

void cuv_jobe_spec_done(struct cuv_jobe_spec *s)
{
	cuv_strv_done(&s->run_args);
	cuv_strv_done(&s->interpreter_args);
	json_decref(s->body);
	s->body = NULL;
}
