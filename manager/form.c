/* SPDX-License-Identifier: MIT */
#include "manager/form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void cuv_form_init(struct cuv_form *f, const struct cuv_field_info *table, size_t n, size_t total_max_bytes,
		   struct cuv_charge *charge)
{
	size_t i;

	cuv_assert(n <= CUV_FIELDS_MAX);
	*f = (struct cuv_form){.table = table, .n = n, .total_max_bytes = total_max_bytes, .charge = charge};
	for (i = 0; i < n; i++)
		cuv_buf_init(&f->fields[i].value, table[i].max_bytes);
}

void cuv_form_done(struct cuv_form *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		cuv_buf_done(&f->fields[i].value);
		free(TAKE_PTR(f->fields[i].filename));
	}
	for (i = 0; i < f->n_files; i++) {
		cuv_buf_done(&f->files[i].value);
		free(f->files[i].filename);
	}
	free(TAKE_PTR(f->files));
	f->n = f->n_files = 0;
}

static int find(const struct cuv_form *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (strcmp(f->table[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int unknown_field(const struct cuv_form *f, const char *name, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf known = CUV_BUF_INIT(sizeof(err->message) - 1);
	size_t i;

	for (i = 0; i < f->n; i++)
		cuv_buf_addf(&known, "%s`%s`", known.len ? ", " : "", f->table[i].name);
	return cuv_error_set(err, CUV_E_FIELD_UNKNOWN, "`%s` is not a field of this request; there are %s", name,
			     cuv_buf_str(&known));
}

static int no_memory(const struct cuv_form *f, struct cuv_error *err)
{
	(void)cuv_charge_refused(f->charge, err, "request");
	return -ENOMEM;
}

/* A copy that is charged for; NULL: no memory. */
static char *keep_name(struct cuv_form *f, const char *name)
{
	const size_t size = strlen(name) + 1;
	char *copy = cuv_charge_add(f->charge, size) ? malloc(size) : NULL;

	if (copy)
		memcpy(copy, name, size);
	return copy;
}

static bool have_files(struct cuv_form *f)
{
	const size_t size = CUV_FORM_FILES_MAX * sizeof(*f->files);

	if (!f->files && cuv_charge_add(f->charge, size))
		f->files = calloc(1, size);
	return f->files != NULL;
}

static int begin_file(struct cuv_form *f, size_t field, const struct cuv_part *part, struct cuv_error *err)
{
	const struct cuv_form_file *other;
	struct cuv_form_file *file;

	if (!part->has_filename || !part->filename[0])
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "the field `%s` must be a file with a name", part->name);
	for (size_t i = 0; (other = cuv_form_file(f, part->name, i)); i++)
		if (strcmp(other->filename, part->filename) == 0)
			return cuv_error_set(err, CUV_E_FIELD_DUPLICATE, "the field `%s` has the file `%s` twice",
					     part->name, part->filename);
	if (f->n_files == CUV_FORM_FILES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "there are more than %d files", CUV_FORM_FILES_MAX);
	if (!have_files(f))
		return no_memory(f, err);
	file = &f->files[f->n_files];
	file->filename = keep_name(f, part->filename);
	if (!file->filename)
		return no_memory(f, err);
	f->n_files++;
	file->field = field;
	cuv_buf_init(&file->value, f->table[field].max_bytes);
	f->current = field;
	f->into = &file->value;
	return 0;
}

static int begin(void *arg, const struct cuv_part *part, struct cuv_error *err)
{
	struct cuv_form *f = arg;
	int i = find(f, part->name);
	struct cuv_field *field;

	if (i < 0 && f->lenient) {
		f->into = NULL;
		return 0;
	}
	if (i < 0)
		return unknown_field(f, part->name, err);
	if (f->table[i].kind == CUV_FIELD_FILES)
		return begin_file(f, (size_t)i, part, err);
	field = &f->fields[i];
	if (field->seen)
		return cuv_error_set(err, CUV_E_FIELD_DUPLICATE, "the field `%s` was sent twice", part->name);
	field->seen = true;
	field->has_filename = part->has_filename;
	if (part->has_filename) {
		field->filename = keep_name(f, part->filename);
		if (!field->filename)
			return no_memory(f, err);
	}
	f->current = (size_t)i;
	f->into = &field->value;
	return 0;
}

static int too_large(const char *name, size_t max, struct cuv_error *err)
{
	bool mib = max >= 1024 * 1024;

	return cuv_error_set(err, CUV_E_TOO_LARGE, "%s%s%s is larger than %zu %s", name ? "the field `" : "the upload",
			     name ? name : "", name ? "`" : "", mib ? max >> 20 : max, mib ? "MiB" : "bytes");
}

static int data(void *arg, const char *bytes, size_t len, struct cuv_error *err)
{
	struct cuv_form *f = arg;
	const struct cuv_field_info *info = &f->table[f->current];

	if (!f->into)
		return 0;
	if (len > info->max_bytes - f->into->len)
		return too_large(info->name, info->max_bytes, err);
	if (len > f->total_max_bytes - f->total_bytes)
		return too_large(NULL, f->total_max_bytes, err);
	f->total_bytes += len;
	if (info->kind == CUV_FIELD_TEXT && memchr(bytes, '\0', len))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "the field `%s` has a NUL byte", info->name);
	/* A buffer doubles when it grows, so it holds up to twice its content. */
	if (!cuv_charge_add(f->charge, 2 * len) || cuv_buf_add(f->into, bytes, len) < 0)
		return no_memory(f, err);
	return 0;
}

static int end(void *arg, struct cuv_error *err)
{
	(void)arg;
	(void)err;
	return 0;
}

struct cuv_multipart_sink cuv_form_sink(struct cuv_form *f)
{
	return (struct cuv_multipart_sink){.arg = f, .begin = begin, .data = data, .end = end};
}

const struct cuv_field *cuv_form_get(const struct cuv_form *f, const char *name)
{
	int i = find(f, name);

	cuv_assert(i >= 0);
	return f->fields[i].seen ? &f->fields[i] : NULL;
}

bool cuv_field_is_file(const struct cuv_field *field, const char *suffix)
{
	size_t len = field->filename ? strlen(field->filename) : 0, n = strlen(suffix);

	return len > n && strcasecmp(field->filename + len - n, suffix) == 0;
}

const struct cuv_form_file *cuv_form_file(const struct cuv_form *f, const char *name, size_t i)
{
	int field = find(f, name);
	size_t k;

	cuv_assert(field >= 0 && f->table[field].kind == CUV_FIELD_FILES);
	for (k = 0; k < f->n_files; k++)
		if (f->files[k].field == (size_t)field && i-- == 0)
			return &f->files[k];
	return NULL;
}
