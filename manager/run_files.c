/* SPDX-License-Identifier: MIT */
/* What goes into the work folder besides main.py, and what is wanted out of it. */
#include "manager/run_request.h"

#include "lib/proto/glob.h"
#include "manager/json_form.h"

#include <jansson.h>
#include <string.h>

int cuv_run_request_files(const struct cuv_form *f, const struct cuv_limits *limits, struct cuv_upload *ret,
			  struct cuv_error *err)
{
	const struct cuv_field *archive = cuv_form_get(f, "archive");
	const struct cuv_form_file *file;
	int r = 0;

	ret->charge = f->charge;
	ret->where = "the field `files`";
	for (size_t i = 0; r == 0 && (file = cuv_form_file(f, "files", i)); i++)
		r = cuv_upload_file(ret, file->filename, cuv_buf_str(&file->value), file->value.len, err);
	ret->where = "the field `archive`";
	if (r == 0 && archive)
		r = cuv_upload_archive(ret, cuv_buf_str(&archive->value), archive->value.len, err);
	return r == 0 ? cuv_upload_finish(ret, limits, err) : r;
}

static int add_pattern(size_t i, const json_t *item, struct cuv_strv *ret, struct cuv_error *err)
{
	const char *s = json_string_value(item);

	if (!s || strlen(s) != json_string_length(item) || !cuv_glob_valid(s))
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "item %zu of `artifacts` is not a pattern: a relative path such as `*.png` or "
				     "`out/**`, at most %d bytes",
				     i + 1, CUV_GLOB_SIZE - 1);
	if (ret->n == CUV_GLOBS_MAX)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "`artifacts` has more than %d patterns", CUV_GLOBS_MAX);
	return cuv_strv_add(ret, s) < 0 ? cuv_error_set(err, CUV_E_OVERLOADED, "no memory for the request") : 0;
}

int cuv_run_request_artifacts(const char *text, size_t len, struct cuv_strv *ret, struct cuv_error *err)
{
	json_t *list, *item;
	size_t i;
	int r = cuv_json_check_size(text, len, err);

	if (r < 0)
		return r;
	list = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_array(list))
		r = cuv_error_set(err, CUV_E_FIELD_INVALID,
				  "the field `artifacts` must be a JSON array of patterns, as [\"*.png\"]");
	else
		json_array_foreach(list, i, item)
		{
			r = add_pattern(i, item, ret, err);
			if (r < 0)
				break;
		}
	json_decref(list);
	return r;
}
