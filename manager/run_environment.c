/* SPDX-License-Identifier: MIT */
/* The fields that say what an environment is, of a run and of a build. */
#include "lib/base/clock.h"
#include "manager/run_lock.h"
#include "manager/run_request.h"
#include "nixenv/pylock_upload.h"
#include "nixenv/requirements.h"
#include "nixenv/script.h"

#include <errno.h>
#include <string.h>

/* Clocks differ: a date a little ahead of ours is still today. */
#define FUTURE_SLACK_S 86400

/* The files that the requirements may include. */
static int list_files(const struct cuv_form *f, struct cuv_requirements_files *ret, struct cuv_error *err)
{
	const struct cuv_form_file *file;

	for (size_t i = 0; (file = cuv_form_file(f, "requirements_files", i)); i++) {
		if (!cuv_requirements_file_name_valid(file->filename))
			return cuv_error_set(err, CUV_E_FIELD_INVALID,
					     "`%.200s` can't be the name of a file in `requirements_files`: it is a "
					     "relative path of letters, digits and . _ + - @, without . and ..",
					     file->filename);
		if (ret->n == CUV_REQUIREMENTS_FILES_MAX)
			return cuv_error_set(err, CUV_E_TOO_LARGE, "there are more than %d requirements files",
					     CUV_REQUIREMENTS_FILES_MAX);
		ret->items[ret->n++] = (struct cuv_requirements_file){
			.name = file->filename, .data = cuv_buf_str(&file->value), .len = file->value.len};
	}
	return 0;
}

static int write_canonical(struct cuv_run_request *ret, struct cuv_error *err)
{
	cuv_buf_init(&ret->requirements, CUV_REQUIREMENTS_BYTES_MAX);
	return cuv_requirements_canonical(ret->source, &ret->requirements) < 0
		       ? cuv_error_set(err, CUV_E_OVERLOADED, "no memory for the request")
		       : 0;
}

/* The program's header in place of a file. */
static int read_script(const struct cuv_form *f, struct cuv_run_request *ret, struct cuv_error *err)
{
	_cleanup_script_ struct cuv_script script = CUV_SCRIPT_INIT;
	int r = cuv_form_get(f, "code") ? cuv_run_request_code(f, &ret->spec, err) : 0;

	if (r == 0 && ret->spec.code)
		r = cuv_script_read(ret->spec.code, ret->spec.code_len, "main.py", &script, err);
	if (r < 0)
		return r;
	if (r == 0)
		return cuv_error_set(
			err, CUV_E_REQUIREMENTS_MISSING,
			"the field `requirements` is missing: send requirements.txt (a comment is enough "
			"for none), a `lock`, an `env`, or a header in the code (PEP 723, `# /// script`)");
	ret->spec.python = cuv_script_python(&script, ret->spec.python, err);
	if (!ret->spec.python)
		return -EINVAL;
	ret->source = TAKE_PTR(script.requirements);
	return write_canonical(ret, err);
}

static int read_requirements(const struct cuv_form *f, struct cuv_run_request *ret, struct cuv_error *err)
{
	const struct cuv_field *field = cuv_form_get(f, "requirements");
	struct cuv_requirements_files files = {.n = 1};
	int r;

	if (!field && ret->spec.build_only)
		return cuv_error_set(err, CUV_E_REQUIREMENTS_MISSING,
				     "the field `requirements` is missing: send requirements.txt (a comment is enough "
				     "for none), or a `lock`");
	if (!field)
		return read_script(f, ret, err);
	if (!cuv_field_is_file(field, ".txt"))
		return cuv_error_set(err, CUV_E_REQUIREMENTS_NAME,
				     "the field `requirements` must be a file whose name ends in .txt");
	if (field->value.len == 0)
		return cuv_error_set(err, CUV_E_REQUIREMENTS_EMPTY,
				     "the file `requirements` has no bytes; a comment is enough for no requirements");
	files.items[0] = (struct cuv_requirements_file){
		.name = field->filename, .data = field->value.data, .len = field->value.len};
	r = list_files(f, &files, err);
	if (r == 0)
		r = cuv_requirements_parse_files(&files, &ret->source, err);
	if (r < 0)
		return r;
	return write_canonical(ret, err);
}

static const char *text_of(const struct cuv_form *f, const char *name)
{
	const struct cuv_field *field = cuv_form_get(f, name);

	return field ? cuv_buf_str(&field->value) : NULL;
}

static int read_lock_file(const struct cuv_form *f, struct cuv_run_request *r, struct cuv_error *err)
{
	_cleanup_(cuv_run_lock_sets_done) struct cuv_run_lock_sets sets = {0};
	const struct cuv_field *field = cuv_form_get(f, "lock");

	if (!cuv_field_is_file(field, ".toml"))
		return cuv_error_set(err, CUV_E_LOCK_NAME, "the field `lock` must be a file whose name ends in .toml");
	if (!cuv_charge_add(f->charge, CUV_UPLOADED_LOCK_FACTOR * field->value.len))
		return cuv_budget_exhausted(err, "request");
	if (cuv_run_lock_extras(&sets, "the field `lock_extras`", text_of(f, "lock_extras"), err) < 0 ||
	    cuv_run_lock_groups(&sets, "the field `lock_groups`", text_of(f, "lock_groups"), err) < 0)
		return -EINVAL;
	return cuv_run_lock_read(cuv_buf_str(&field->value), field->value.len, r->spec.python, &sets, &r->spec.python,
				 &r->requirements, err);
}

static int read_python(const struct cuv_form *f, struct cuv_job_spec *spec, struct cuv_error *err)
{
	const struct cuv_field *field = cuv_form_get(f, "python");

	if (!field)
		return 0;
	spec->python = cuv_python_choose("the field `python`", cuv_buf_str(&field->value), err);
	return spec->python ? 0 : -EINVAL;
}

/* Exactly one of the three ways to name an environment, or a header in the program. */
static int read_environment(const struct cuv_form *f, struct cuv_run_request *r, struct cuv_error *err)
{
	const struct cuv_field *lock = cuv_form_get(f, "lock");
	const struct cuv_field *env = r->spec.build_only ? NULL : cuv_form_get(f, "env");

	if ((lock != NULL) + (env != NULL) + (cuv_form_get(f, "requirements") != NULL) > 1)
		return cuv_error_set(err, CUV_E_FIELD_CONFLICT,
				     "send one of `requirements`%s: each says what the environment is",
				     r->spec.build_only ? " and `lock`" : ", `lock` and `env`");
	if (!lock && (cuv_form_get(f, "lock_extras") || cuv_form_get(f, "lock_groups")))
		return cuv_error_set(err, CUV_E_FIELD_CONFLICT,
				     "the fields `lock_extras` and `lock_groups` are for a `lock`, which is not there; "
				     "requirements name extras themselves, as in name[extra]");
	if (!lock && !env) {
		r->spec.env_source = CUV_ENV_REQUIREMENTS;
		return read_requirements(f, r, err);
	}
	if (cuv_form_file(f, "requirements_files", 0))
		return cuv_error_set(err, CUV_E_FIELD_CONFLICT,
				     "the field `requirements_files` is for `requirements`, which are not there");
	if (cuv_form_get(f, "exclude_newer"))
		return cuv_error_set(
			err, CUV_E_FIELD_CONFLICT,
			"the field `exclude_newer` is for `requirements`; what is locked has its versions");
	r->spec.env_source = lock ? CUV_ENV_LOCK : CUV_ENV_DIGEST;
	if (lock)
		return read_lock_file(f, r, err);
	r->spec.env_digest = cuv_buf_str(&env->value);
	return cuv_run_digest_read("the field `env`", r->spec.env_digest, err);
}

static int read_exclude_newer(const char *text, int64_t now_s, int64_t *ret, struct cuv_error *err)
{
	int64_t when;

	if (cuv_parse_rfc3339(text, &when) < 0 || when <= 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "the field `exclude_newer` must be a date (2026-01-31) or an RFC 3339 time");
	if (when > now_s + FUTURE_SLACK_S)
		return cuv_error_set(
			err, CUV_E_FIELD_INVALID,
			"the field `exclude_newer` is in the future: what will be published by then is not known");
	*ret = when;
	return 0;
}

int cuv_run_request_environment(const struct cuv_form *f, int64_t now_s, struct cuv_run_request *ret,
				struct cuv_error *err)
{
	const char *newer;
	int r = read_python(f, &ret->spec, err);

	if (r == 0)
		r = read_environment(f, ret, err);
	newer = text_of(f, "exclude_newer");
	if (r == 0 && newer)
		r = read_exclude_newer(newer, now_s, &ret->spec.exclude_s, err);
	ret->spec.requirements = cuv_buf_str(&ret->requirements);
	ret->spec.requirements_len = ret->requirements.len;
	ret->spec.source = ret->source;
	return r;
}
