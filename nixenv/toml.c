/* SPDX-License-Identifier: MIT */
/* The document: lines, keys, and the tables that headers and dotted keys make. */
#include "nixenv/toml.h"

#include "lib/base/utf8.h"
#include "nixenv/toml_parser.h"

#include <errno.h>
#include <string.h>

int cuv_toml_fail(struct cuv_toml_parser *p, const char *reason)
{
	if (!p->reason)
		p->reason = reason;
	return -EINVAL;
}

char cuv_toml_peek(const struct cuv_toml_parser *p)
{
	return p->at < p->end ? *p->at : '\0';
}

bool cuv_toml_accept(struct cuv_toml_parser *p, char c)
{
	if (p->at >= p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

void cuv_toml_skip_blanks(struct cuv_toml_parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
		p->at++;
}

bool cuv_toml_skip_lines(struct cuv_toml_parser *p)
{
	bool any = false;

	for (;;) {
		cuv_toml_skip_blanks(p);
		if (cuv_toml_peek(p) == '#')
			while (p->at < p->end && *p->at != '\n')
				p->at++;
		if (p->at + 1 < p->end && p->at[0] == '\r' && p->at[1] == '\n')
			p->at++;
		if (!cuv_toml_accept(p, '\n'))
			return any;
		any = true;
	}
}

bool cuv_toml_is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* --- keys --- */

int cuv_toml_key(struct cuv_toml_parser *p, struct cuv_buf *out)
{
	char c = cuv_toml_peek(p);

	cuv_buf_reset(out);
	if (c == '"' || c == '\'') {
		if (cuv_toml_string(p, false, out) < 0)
			return -EINVAL;
	} else {
		while (cuv_toml_is_bare(cuv_toml_peek(p)))
			cuv_buf_add_char(out, *p->at++);
		if (out->len == 0)
			return cuv_toml_fail(p, "a key is missing");
	}
	return cuv_buf_err(out) ? cuv_toml_fail(p, "a key that is too long") : 0;
}

/* Another part of a dotted key: 1 when it was read, 0 when there is none. */
static int more_key(struct cuv_toml_parser *p, size_t *n, struct cuv_buf *out)
{
	cuv_toml_skip_blanks(p);
	if (!cuv_toml_accept(p, '.'))
		return 0;
	if (++*n >= CUV_TOML_KEYS_MAX)
		return cuv_toml_fail(p, "a key of too many parts");
	cuv_toml_skip_blanks(p);
	return cuv_toml_key(p, out) < 0 ? -EINVAL : 1;
}

static json_t *add_new(struct cuv_toml_parser *p, json_t *table, const char *key, json_t *value)
{
	if (value && json_object_set_new(table, key, value) < 0) {
		p->no_memory = true;
		return NULL;
	}
	return value;
}

static json_t *kid(const struct cuv_toml_parser *p, json_t *table, const char *key, enum cuv_toml_kind *ret_kind)
{
	json_t *found = json_object_get(table, key);
	const struct cuv_toml_place *place = cuv_toml_place(p->doc, found);

	*ret_kind = place ? place->kind : CUV_TOML_VALUE;
	return found;
}

int cuv_toml_pair(struct cuv_toml_parser *p, json_t *table, int depth)
{
	_cleanup_buf_ struct cuv_buf name = CUV_BUF_INIT(CUV_TOML_KEY_MAX);
	const char *start = p->at;
	size_t parts = 0;
	json_t *j;
	int r;

	if (cuv_toml_key(p, &name) < 0)
		return -EINVAL;
	for (;;) {
		_cleanup_buf_ struct cuv_buf next = CUV_BUF_INIT(CUV_TOML_KEY_MAX);
		enum cuv_toml_kind kind;

		r = more_key(p, &parts, &next);
		if (r <= 0)
			break;
		j = kid(p, table, cuv_buf_str(&name), &kind);
		if (j && kind != CUV_TOML_DOTTED)
			return cuv_toml_fail(p, "a dotted key into what is complete already");
		if (!j)
			j = add_new(p, table, cuv_buf_str(&name),
				    cuv_toml_note(p, json_object(), start, CUV_TOML_DOTTED));
		if (!j)
			return -EINVAL;
		table = j;
		cuv_buf_done(&name);
		name = next;
		next = CUV_BUF_INIT(CUV_TOML_KEY_MAX);
	}
	if (r < 0)
		return r;
	if (!cuv_toml_accept(p, '='))
		return cuv_toml_fail(p, "a key without =");
	cuv_toml_skip_blanks(p);
	if (json_object_get(table, cuv_buf_str(&name))) {
		p->at = start;
		return cuv_toml_fail(p, "a key that stands twice");
	}
	return add_new(p, table, cuv_buf_str(&name), cuv_toml_value(p, depth)) ? 0 : -EINVAL;
}

/* --- headers --- */

/* A table on the way of a header: made when it is not there; of tables the last. */
static json_t *step_into(struct cuv_toml_parser *p, json_t *table, const char *key, const char *start)
{
	enum cuv_toml_kind kind;
	json_t *found = kid(p, table, key, &kind);

	if (!found)
		return add_new(p, table, key, cuv_toml_note(p, json_object(), start, CUV_TOML_IMPLIED));
	if (kind == CUV_TOML_TABLES)
		return json_array_get(found, json_array_size(found) - 1);
	if (kind != CUV_TOML_VALUE)
		return found;
	cuv_toml_fail(p, "a header into what is no table, or is complete already");
	return NULL;
}

static json_t *open_table(struct cuv_toml_parser *p, json_t *parent, const char *key, const char *start)
{
	enum cuv_toml_kind kind;
	json_t *found = kid(p, parent, key, &kind);

	if (!found)
		return add_new(p, parent, key, cuv_toml_note(p, json_object(), start, CUV_TOML_HEADER));
	if (kind != CUV_TOML_IMPLIED) {
		cuv_toml_fail(p, "a table that stands twice");
		return NULL;
	}
	cuv_toml_place(p->doc, found)->kind = CUV_TOML_HEADER;
	cuv_toml_place(p->doc, found)->offset = (uint32_t)(start - p->text);
	return found;
}

static json_t *open_item(struct cuv_toml_parser *p, json_t *parent, const char *key, const char *start)
{
	enum cuv_toml_kind kind;
	json_t *list = kid(p, parent, key, &kind), *item;

	if (list && kind != CUV_TOML_TABLES) {
		cuv_toml_fail(p, "a table that stands twice");
		return NULL;
	}
	if (!list)
		list = add_new(p, parent, key, cuv_toml_note(p, json_array(), start, CUV_TOML_TABLES));
	item = list ? cuv_toml_note(p, json_object(), start, CUV_TOML_HEADER) : NULL;
	if (item && json_array_append_new(list, item) < 0) {
		p->no_memory = true;
		return NULL;
	}
	return item;
}

/* [a.b] or [[a.b]], after the first bracket: the table that the next pairs belong to. */
static json_t *header(struct cuv_toml_parser *p)
{
	_cleanup_buf_ struct cuv_buf name = CUV_BUF_INIT(CUV_TOML_KEY_MAX), next = CUV_BUF_INIT(CUV_TOML_KEY_MAX);
	const char *start = p->at - 1;
	bool list = cuv_toml_accept(p, '[');
	json_t *table = p->doc->root;
	size_t parts = 0;
	int r;

	cuv_toml_skip_blanks(p);
	if (cuv_toml_key(p, &name) < 0)
		return NULL;
	while ((r = more_key(p, &parts, &next)) > 0) {
		struct cuv_buf swap = name;

		table = step_into(p, table, cuv_buf_str(&name), start);
		if (!table)
			return NULL;
		name = next;
		next = swap;
	}
	if (r < 0)
		return NULL;
	if (!cuv_toml_accept(p, ']') || (list && !cuv_toml_accept(p, ']'))) {
		cuv_toml_fail(p, "a table header without its ]");
		return NULL;
	}
	return list ? open_item(p, table, cuv_buf_str(&name), start) : open_table(p, table, cuv_buf_str(&name), start);
}

static int document(struct cuv_toml_parser *p)
{
	json_t *table = p->doc->root;

	for (;;) {
		(void)cuv_toml_skip_lines(p);
		if (p->at >= p->end)
			return 0;
		if (cuv_toml_accept(p, '[')) {
			if (!(table = header(p)))
				return -EINVAL;
		} else if (cuv_toml_pair(p, table, 0) < 0) {
			return -EINVAL;
		}
		if (!cuv_toml_skip_lines(p) && p->at < p->end)
			return cuv_toml_fail(p, "more after the end of a value");
	}
}

/* --- the whole --- */

void cuv_toml_done(struct cuv_toml *t)
{
	json_decref(t->root);
	free(t->places);
	*t = CUV_TOML_INIT;
}

void cuv_toml_locate(const char *text, size_t len, size_t offset, uint32_t *ret_line, uint32_t *ret_column,
		     const char **ret_text, size_t *ret_len)
{
	const char *at = text + CUV_MIN(offset, len), *begin = at, *end = at;

	while (begin > text && begin[-1] != '\n')
		begin--;
	while (end < text + len && *end != '\n' && *end != '\r')
		end++;
	*ret_line = 1;
	*ret_column = 1;
	for (const char *c = text; c < begin; c++)
		*ret_line += *c == '\n';
	for (const char *c = begin; c < at; c++)
		*ret_column += ((unsigned char)*c & 0xc0) != 0x80;
	if (ret_text)
		*ret_text = begin;
	if (ret_len)
		*ret_len = (size_t)(end - begin);
}

int cuv_toml_read(const char *text, size_t len, struct cuv_toml *ret, struct cuv_toml_error *err)
{
	_cleanup_toml_ struct cuv_toml doc = CUV_TOML_INIT;
	struct cuv_toml_parser p = {.text = text, .at = text, .end = text + len, .doc = &doc};
	int r;

	if (len > CUV_TOML_BYTES_MAX) {
		r = cuv_toml_fail(&p, "a file that is too long");
	} else {
		doc.root = json_object();
		r = doc.root ? document(&p) : -ENOMEM;
	}
	if (r == 0) {
		*ret = doc;
		doc = CUV_TOML_INIT;
		return 0;
	}
	if (p.no_memory || r == -ENOMEM)
		return -ENOMEM;
	if (err) {
		*err = (struct cuv_toml_error){.reason = p.reason ? p.reason : "a value that is not valid",
					       .offset = (size_t)(p.at - text)};
		cuv_toml_locate(text, len, err->offset, &err->line, &err->column, NULL, NULL);
	}
	return -EINVAL;
}

int cuv_toml_parse(const char *text, size_t len, json_t **ret, struct cuv_toml_error *err)
{
	_cleanup_toml_ struct cuv_toml doc = CUV_TOML_INIT;
	int r = cuv_toml_read(text, len, &doc, err);

	if (r == 0)
		*ret = json_incref(doc.root);
	return r;
}
