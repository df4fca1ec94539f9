/* SPDX-License-Identifier: MIT */
#include "manager/form_pack.h"

#include <stdio.h>
#include <string.h>

#define HEAD_SIZE 8
#define NO_NAME 0xffffu

static void put_field(struct cuv_buf *out, const char *name, const char *filename, const struct cuv_buf *value)
{
	const size_t name_len = strlen(name), filename_len = filename ? strlen(filename) : NO_NAME, len = value->len;
	const uint8_t head[HEAD_SIZE] = {
		(uint8_t)name_len, (uint8_t)(name_len >> 8), (uint8_t)filename_len, (uint8_t)(filename_len >> 8),
		(uint8_t)len,	   (uint8_t)(len >> 8),	     (uint8_t)(len >> 16),  (uint8_t)(len >> 24)};

	cuv_buf_add(out, head, sizeof(head));
	cuv_buf_add_str(out, name);
	if (filename)
		cuv_buf_add_str(out, filename);
	cuv_buf_add(out, cuv_buf_str(value), len);
}

int cuv_form_pack(const struct cuv_form *f, struct cuv_buf *out)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->fields[i].seen)
			put_field(out, f->table[i].name, f->fields[i].has_filename ? f->fields[i].filename : NULL,
				  &f->fields[i].value);
	for (size_t i = 0; i < f->n_files; i++)
		put_field(out, f->table[f->files[i].field].name, f->files[i].filename, &f->files[i].value);
	return cuv_buf_err(out);
}

struct packed {
	const uint8_t *at;
	size_t left;
};

static const uint8_t *take(struct packed *p, size_t len)
{
	const uint8_t *at = p->at;

	if (len > p->left)
		return NULL;
	p->at += len;
	p->left -= len;
	return at;
}

static bool take_name(struct packed *p, size_t len, char *ret, size_t size)
{
	const uint8_t *at = len < size ? take(p, len) : NULL;

	if (!at || memchr(at, '\0', len))
		return false;
	memcpy(ret, at, len);
	ret[len] = '\0';
	return true;
}

static int broken(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_INTERNAL, "the kept request is damaged; send it again");
}

static int take_field(struct packed *p, const struct cuv_multipart_sink *sink, struct cuv_error *err)
{
	const uint8_t *head = take(p, HEAD_SIZE), *data;
	struct cuv_part part = {0};
	size_t name_len, filename_len, len;
	int r;

	if (!head)
		return broken(err);
	name_len = head[0] | (size_t)head[1] << 8;
	filename_len = head[2] | (size_t)head[3] << 8;
	len = head[4] | (size_t)head[5] << 8 | (size_t)head[6] << 16 | (size_t)head[7] << 24;
	part.has_filename = filename_len != NO_NAME;
	if (!take_name(p, name_len, part.name, sizeof(part.name)) ||
	    (part.has_filename && !take_name(p, filename_len, part.filename, sizeof(part.filename))))
		return broken(err);
	data = take(p, len);
	if (!data)
		return broken(err);
	r = sink->begin(sink->arg, &part, err);
	if (r == 0 && len > 0)
		r = sink->data(sink->arg, (const char *)data, len, err);
	return r == 0 ? sink->end(sink->arg, err) : r;
}

int cuv_form_unpack(const void *data, size_t len, struct cuv_form *f, struct cuv_error *err)
{
	struct cuv_multipart_sink sink = cuv_form_sink(f);
	struct packed p = {data, len};
	int r = 0;

	while (r == 0 && p.left > 0)
		r = take_field(&p, &sink, err);
	return r;
}
