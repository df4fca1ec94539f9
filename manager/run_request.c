/* SPDX-License-Identifier: MIT */
#include "manager/run_request.h"

#include "lib/base/utf8.h"
#include "manager/isolation.h"
#include "manager/json_form.h"
#include "nixenv/pylock_upload.h"
#include "nixenv/requirements.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define TEXT_MAX 64
#define NAMES_TEXT_MAX 4096
#define ARGS_TEXT_MAX (256 * 1024)
#define ARTIFACTS_TEXT_MAX (64 * 1024)
/* argv[0], main.py and their NULs share the bound with the arguments. */
#define ARGS_OURS_BYTES 512
#define RESOLVE_MS 60000
#define BUILD_MS 600000
#define QUEUE_MS 60000

static const struct cuv_field_info fields[] = {
	{"requirements", CUV_FIELD_FILE, CUV_REQUIREMENTS_BYTES_MAX},
	{"requirements_files", CUV_FIELD_FILES, CUV_REQUIREMENTS_BYTES_MAX},
	{"code", CUV_FIELD_FILE, CUV_CODE_BYTES_MAX},
	{"stdin", CUV_FIELD_FILE, CUV_STDIN_BYTES_MAX},
	{"args", CUV_FIELD_TEXT, ARGS_TEXT_MAX},
	{"python", CUV_FIELD_TEXT, TEXT_MAX},
	{"exclude_newer", CUV_FIELD_TEXT, TEXT_MAX},
	{"isolation", CUV_FIELD_TEXT, TEXT_MAX},
	{"deterministic", CUV_FIELD_TEXT, TEXT_MAX},
	{"lint", CUV_FIELD_TEXT, TEXT_MAX},
	{"lint_select", CUV_FIELD_TEXT, CUV_LINT_SELECT_TEXT_MAX},
	{"line_length", CUV_FIELD_TEXT, TEXT_MAX},
	{"target_version", CUV_FIELD_TEXT, TEXT_MAX},
#define X(name, field, unit, def, max, text) {field, CUV_FIELD_TEXT, TEXT_MAX},
	CUV_LIMIT_TABLE(X)
#undef X
		{"lock", CUV_FIELD_FILE, CUV_UPLOADED_LOCK_BYTES_MAX},
	{"env", CUV_FIELD_TEXT, TEXT_MAX},
	{"lock_extras", CUV_FIELD_TEXT, NAMES_TEXT_MAX},
	{"lock_groups", CUV_FIELD_TEXT, NAMES_TEXT_MAX},
	{"files", CUV_FIELD_FILES, CUV_UPLOAD_BYTES_MAX},
	{"archive", CUV_FIELD_FILE, CUV_UPLOAD_BYTES_MAX},
	{"artifacts", CUV_FIELD_TEXT, ARTIFACTS_TEXT_MAX},
	{"mode", CUV_FIELD_TEXT, TEXT_MAX},
	{"output_encoding", CUV_FIELD_TEXT, TEXT_MAX},
	{"cases", CUV_FIELD_TEXT, CUV_CASES_TEXT_MAX},
};
_Static_assert(ARRAY_SIZE(fields) <= CUV_FIELDS_MAX, "the form has room for all fields");

const struct cuv_field_info *cuv_run_fields(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(fields);
	return fields;
}

/* Of these, what says what the environment is. */
static const struct cuv_field_info build_fields[] = {
	{"requirements", CUV_FIELD_FILE, CUV_REQUIREMENTS_BYTES_MAX},
	{"requirements_files", CUV_FIELD_FILES, CUV_REQUIREMENTS_BYTES_MAX},
	{"python", CUV_FIELD_TEXT, TEXT_MAX},
	{"exclude_newer", CUV_FIELD_TEXT, TEXT_MAX},
	{"lock", CUV_FIELD_FILE, CUV_UPLOADED_LOCK_BYTES_MAX},
	{"lock_extras", CUV_FIELD_TEXT, NAMES_TEXT_MAX},
	{"lock_groups", CUV_FIELD_TEXT, NAMES_TEXT_MAX},
	{"mode", CUV_FIELD_TEXT, TEXT_MAX},
};

bool cuv_run_request_is_build(const struct cuv_form *f)
{
	return !cuv_form_get(f, "code");
}

const struct cuv_field_info *cuv_build_fields(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(build_fields);
	return build_fields;
}

void cuv_run_request_done(struct cuv_run_request *r)
{
	r->source = cuv_requirements_free(r->source);
	cuv_buf_done(&r->requirements);
	cuv_strv_done(&r->args);
	cuv_strv_done(&r->artifacts);
	cuv_upload_done(&r->files);
	cuv_run_cases_done(&r->cases);
}

int cuv_run_request_code(const struct cuv_form *f, struct cuv_job_spec *spec, struct cuv_error *err)
{
	const struct cuv_field *code = cuv_form_get(f, "code");
	const char *data;
	size_t len;

	if (!code)
		return cuv_error_set(err, CUV_E_CODE_MISSING,
				     "the field `code` is missing: send the program as a file main.py");
	if (!cuv_field_is_file(code, ".py"))
		return cuv_error_set(err, CUV_E_CODE_NAME, "the field `code` must be a file whose name ends in .py");
	data = cuv_buf_str(&code->value);
	len = code->value.len;
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		data += 3;
		len -= 3;
	}
	if (len == 0)
		return cuv_error_set(err, CUV_E_CODE_EMPTY, "the file `code` has no bytes");
	if (!cuv_utf8_valid(data, len))
		return cuv_error_set(err, CUV_E_CODE_ENCODING, "the file `code` is not UTF-8");
	spec->code = data;
	spec->code_len = len;
	return 0;
}

int cuv_run_request_args(const char *text, size_t len, struct cuv_strv *ret, struct cuv_error *err)
{
	size_t i, n, total = ARGS_OURS_BYTES;
	json_error_t why;
	json_t *list, *item;
	int r = cuv_json_check_size(text, len, err);

	if (r < 0)
		return r;
	list = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_array(list)) {
		json_decref(list);
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "the field `args` must be a JSON array of strings");
	}
	n = json_array_size(list);
	json_array_foreach(list, i, item)
	{
		const char *s = json_string_value(item);
		size_t s_len = s ? json_string_length(item) : 0;

		total += s_len + 1;
		if (!s || strlen(s) != s_len) {
			json_decref(list);
			return cuv_error_set(err, CUV_E_FIELD_INVALID, "item %zu of `args` is not a string", i + 1);
		}
		if (n > CUV_ARGS_MAX || s_len > CUV_ARG_BYTES_MAX || total > CUV_ARGS_BYTES_MAX) {
			json_decref(list);
			return cuv_error_set(err, CUV_E_FIELD_INVALID,
					     "`args` passes its bounds: %d arguments, %d bytes each, %d bytes in all",
					     CUV_ARGS_MAX, CUV_ARG_BYTES_MAX, CUV_ARGS_BYTES_MAX - ARGS_OURS_BYTES);
		}
		if (cuv_strv_add(ret, s) < 0) {
			json_decref(list);
			return cuv_error_set(err, CUV_E_OVERLOADED, "no memory for the request");
		}
	}
	json_decref(list);
	return 0;
}

/* As JSON has it, or as we have it elsewhere. */
static int read_deterministic(const char *text, bool *ret, struct cuv_error *err)
{
	*ret = strcmp(text, "true") == 0 || strcmp(text, "on") == 0;
	if (!*ret && strcmp(text, "false") != 0 && strcmp(text, "off") != 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "the field `deterministic` must be `true` or `false`");
	return 0;
}

static int read_lint(const char *text, bool *ret, struct cuv_error *err)
{
	if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "the field `lint` must be `on` or `off`");
	*ret = strcmp(text, "on") == 0;
	return 0;
}

/* After lint. */
static int read_lint_settings(const struct cuv_form *f, struct cuv_run_request *r, struct cuv_error *err)
{
	static const struct {
		const char *name, *what;
		int (*read)(const char *what, const char *text, struct cuv_lint_settings *ret, struct cuv_error *err);
	} settings[] = {{"lint_select", "the field `lint_select`", cuv_lint_select_read},
			{"line_length", "the field `line_length`", cuv_lint_line_read},
			{"target_version", "the field `target_version`", cuv_lint_target_read}};
	int e = 0;

	for (size_t i = 0; e == 0 && i < ARRAY_SIZE(settings); i++) {
		const struct cuv_field *field = cuv_form_get(f, settings[i].name);

		if (field && !r->spec.lint)
			e = cuv_error_set(err, CUV_E_FIELD_CONFLICT, "%s is for `lint`, which is off",
					  settings[i].what);
		else if (field)
			e = settings[i].read(settings[i].what, cuv_buf_str(&field->value), &r->lint, err);
	}
	return e;
}

static int read_encoding(const char *text, bool *ret, struct cuv_error *err)
{
	*ret = strcmp(text, "base64") == 0;
	if (!*ret && strcmp(text, "utf-8") != 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "the field `output_encoding` must be `utf-8` or `base64`");
	return 0;
}

static int read_mode(const char *text, enum cuv_run_mode *ret, struct cuv_error *err)
{
	static const char *const names[] = {
		[CUV_RUN_SYNC] = "sync", [CUV_RUN_ASYNC] = "async", [CUV_RUN_STREAM] = "stream"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		*ret = (enum cuv_run_mode)i;
		if (strcmp(text, names[i]) == 0)
			return 0;
	}
	return cuv_error_set(err, CUV_E_FIELD_INVALID, "the field `mode` must be `sync`, `async` or `stream`");
}

/* After the limits. Texts and what is made of them. */
static int read_cases(const struct cuv_form *f, struct cuv_run_request *r, struct cuv_error *err)
{
	const struct cuv_field *field = cuv_form_get(f, "cases");
	int e;

	if (!field && r->mode == CUV_RUN_STREAM)
		return cuv_error_set(err, CUV_E_FIELD_CONFLICT,
				     "the `mode` `stream` is for `cases`, which are not there");
	if (!field)
		return 0;
	if (!cuv_charge_add(f->charge, 3 * field->value.len))
		return cuv_budget_exhausted(err, "request");
	e = cuv_run_cases_read(cuv_buf_str(&field->value), field->value.len, &r->cases, err);
	if (e == 0 && r->cases.n * r->spec.limits.value[CUV_LIMIT_WALL] > CUV_CASES_WALL_MS_MAX)
		e = cuv_error_set(err, CUV_E_LIMIT_EXCEEDED, "`cases` times `timeout` is above its maximum of %u s",
				  CUV_CASES_WALL_MS_MAX / 1000);
	return e;
}

static const char *unit_text(enum cuv_limit_unit unit)
{
	switch (unit) {
	case CUV_UNIT_MS:
		return "seconds, as 2 or 2.5";
	case CUV_UNIT_BYTES:
		return "bytes, as 1048576 or 64MiB";
	case CUV_UNIT_MILLI:
		return "CPUs, as 1 or 0.5";
	case CUV_UNIT_COUNT:
	default:
		return "a whole number";
	}
}

static int above_maximum(const struct cuv_limit_info *info, struct cuv_error *err)
{
	unsigned long long max = info->max;
	const char *unit = "";

	if (info->unit == CUV_UNIT_BYTES) {
		max /= CUV_MIB;
		unit = " MiB";
	} else if (info->unit == CUV_UNIT_MS || info->unit == CUV_UNIT_MILLI) {
		max /= 1000;
		unit = info->unit == CUV_UNIT_MS ? " s" : " CPUs";
	}
	return cuv_error_set(err, CUV_E_LIMIT_EXCEEDED, "the field `%s` (%s) is above its maximum of %llu%s",
			     info->field, info->text, max, unit);
}

static int read_limits(const struct cuv_form *f, struct cuv_limits *ret, struct cuv_error *err)
{
	int i;

	cuv_limits_default(ret);
	for (i = 0; i < _CUV_LIMIT_MAX; i++) {
		const struct cuv_limit_info *info = cuv_limit_info((enum cuv_limit)i);
		const struct cuv_field *field = cuv_form_get(f, info->field);
		int r;

		if (!field)
			continue;
		r = cuv_limit_parse((enum cuv_limit)i, cuv_buf_str(&field->value), ret);
		if (r == -ERANGE)
			return above_maximum(info, err);
		if (r < 0)
			return cuv_error_set(err, CUV_E_FIELD_INVALID, "the field `%s` (%s) must be above 0, in %s",
					     info->field, info->text, unit_text(info->unit));
	}
	return 0;
}

static int read_options(const struct cuv_form *f, struct cuv_run_request *r, struct cuv_error *err)
{
	const struct cuv_field *field;
	int e = 0;

	field = cuv_form_get(f, "stdin");
	if (field) {
		r->spec.stdin_data = cuv_buf_str(&field->value);
		r->spec.stdin_len = field->value.len;
	}
	field = cuv_form_get(f, "args");
	if (field)
		e = cuv_run_request_args(cuv_buf_str(&field->value), field->value.len, &r->args, err);
	field = cuv_form_get(f, "artifacts");
	if (e == 0 && field)
		e = cuv_run_request_artifacts(cuv_buf_str(&field->value), field->value.len, &r->artifacts, err);
	field = cuv_form_get(f, "isolation");
	if (e == 0 && field)
		e = cuv_isolation_read("the field `isolation`", cuv_buf_str(&field->value), &r->spec.strict, err);
	field = cuv_form_get(f, "deterministic");
	if (e == 0 && field)
		e = read_deterministic(cuv_buf_str(&field->value), &r->spec.deterministic, err);
	field = cuv_form_get(f, "output_encoding");
	if (e == 0 && field)
		e = read_encoding(cuv_buf_str(&field->value), &r->spec.base64, err);
	field = cuv_form_get(f, "mode");
	if (e == 0 && field)
		e = read_mode(cuv_buf_str(&field->value), &r->mode, err);
	field = cuv_form_get(f, "lint");
	if (e == 0 && field)
		e = read_lint(cuv_buf_str(&field->value), &r->spec.lint, err);
	if (e == 0)
		e = read_lint_settings(f, r, err);
	return e == 0 ? read_limits(f, &r->spec.limits, err) : e;
}

static void begin(struct cuv_run_request *ret)
{
	*ret = (struct cuv_run_request){
		.files = CUV_UPLOAD_INIT,
		.spec = {.stdin_data = "", .resolve_ms = RESOLVE_MS, .build_ms = BUILD_MS, .queue_ms = QUEUE_MS}};
}

int cuv_run_request_read_build(const struct cuv_form *f, int64_t now_s, struct cuv_run_request *ret,
			       struct cuv_error *err)
{
	const struct cuv_field *mode = cuv_form_get(f, "mode");
	int r;

	begin(ret);
	ret->spec.build_only = true;
	ret->mode = CUV_RUN_ASYNC;
	cuv_limits_default(&ret->spec.limits);
	r = mode ? read_mode(cuv_buf_str(&mode->value), &ret->mode, err) : 0;
	if (r == 0 && ret->mode == CUV_RUN_STREAM)
		r = cuv_error_set(err, CUV_E_FIELD_INVALID, "the field `mode` must be `async` or `sync`");
	if (r == 0)
		r = cuv_run_request_environment(f, now_s, ret, err);
	if (r < 0)
		cuv_run_request_done(ret);
	return r;
}

int cuv_run_request_read(const struct cuv_form *f, int64_t now_s, struct cuv_run_request *ret, struct cuv_error *err)
{
	int r;

	begin(ret);
	ret->spec.lint = true;
	r = cuv_run_request_environment(f, now_s, ret, err);
	if (r == 0)
		r = cuv_run_request_code(f, &ret->spec, err);
	if (r == 0)
		r = read_options(f, ret, err);
	if (r == 0)
		r = read_cases(f, ret, err);
	if (r == 0)
		r = cuv_run_request_files(f, &ret->spec.limits, &ret->files, err);
	if (r < 0) {
		cuv_run_request_done(ret);
		return r;
	}
	ret->spec.args = &ret->args;
	ret->spec.lint_settings = &ret->lint;
	ret->spec.files = &ret->files;
	ret->spec.artifacts = &ret->artifacts;
	return 0;
}
