/* SPDX-License-Identifier: MIT */
#include "nixenv/requirements_result.h"

#include "nixenv/requirements_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 8u

struct cuv_requirements *cuv_requirements_new(void)
{
	return calloc(1, sizeof(struct cuv_requirements));
}

/* Lists double at these lengths; most requests have a few lines, and may wait for long. */
static bool is_full(size_t n)
{
	return n == 0 || (n >= ROOM_MIN && (n & (n - 1)) == 0);
}

static int grow(void **list, size_t n, size_t size)
{
	void *more;

	if (!is_full(n))
		return 0;
	more = realloc(*list, CUV_MAX(2 * n, (size_t)ROOM_MIN) * size);
	if (!more)
		return -ENOMEM;
	*list = more;
	return 0;
}

int cuv_requirements_reserve(struct cuv_requirements *r, bool constraint)
{
	struct cuv_requirement **items = constraint ? &r->constraints : &r->items;
	const size_t n = constraint ? r->n_constraints : r->n;
	void *list = *items, *lines = r->lines;
	int e = grow(&list, n, sizeof(r->items[0]));

	*items = list;
	if (e == 0)
		e = grow(&lines, r->n_lines, sizeof(r->lines[0]));
	r->lines = lines;
	if (e == 0)
		(*items)[n] = (struct cuv_requirement){0};
	return e;
}

struct cuv_requirements *cuv_requirements_free(struct cuv_requirements *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n; i++)
		cuv_requirement_done(&r->items[i]);
	for (size_t i = 0; i < r->n_constraints; i++)
		cuv_requirement_done(&r->constraints[i]);
	for (size_t i = 0; i < r->n_lines; i++)
		free(r->lines[i].text);
	for (size_t i = 0; i < r->n_indexes; i++) {
		free(r->indexes[i].url);
		free(r->indexes[i].text);
	}
	cuv_strv_done(&r->files);
	free(r->items);
	free(r->constraints);
	free(r->lines);
	free(r);
	return NULL;
}

/* The same text on several lines: the first of them stays. */
static int compare_items(const void *a, const void *b)
{
	const struct cuv_requirement *left = a, *right = b;
	int r = strcmp(left->text, right->text);

	return r ? r : (left->origin > right->origin) - (left->origin < right->origin);
}

/* How many are left. */
static size_t sort_and_fold(struct cuv_requirements *r, struct cuv_requirement *items, size_t n)
{
	size_t kept = 0;

	if (n == 0)
		return 0;
	qsort(items, n, sizeof(items[0]), compare_items);
	r->lines[items[0].origin].item = 0;
	for (size_t i = 1; i < n; i++) {
		bool same = strcmp(items[kept].text, items[i].text) == 0;

		r->lines[items[i].origin].item = same ? kept : kept + 1;
		if (same)
			cuv_requirement_done(&items[i]);
		else
			items[++kept] = items[i];
	}
	return kept + 1;
}

void cuv_requirements_fold(struct cuv_requirements *r)
{
	r->n = sort_and_fold(r, r->items, r->n);
	r->n_constraints = sort_and_fold(r, r->constraints, r->n_constraints);
}

int cuv_requirements_note(struct cuv_requirements *r, const char *text, size_t len, size_t at)
{
	struct cuv_requirement *item = &r->items[r->n - 1];
	char excerpt[sizeof(((struct cuv_error *)NULL)->excerpt)];

	cuv_requirements_excerpt(text, len, at, excerpt);
	item->line = cuv_requirements_line_of(text, len, at);
	item->origin = r->n_lines;
	r->lines[r->n_lines++] =
		(struct cuv_requirements_line){.number = item->line, .text = strdup(excerpt), .item = r->n - 1};
	return r->lines[item->origin].text ? 0 : -ENOMEM;
}

static int write_items(const struct cuv_requirement *items, size_t n, const char *before, struct cuv_buf *out)
{
	for (size_t i = 0; i < n; i++)
		cuv_buf_addf(out, "%s%s\n", before, items[i].text);
	return cuv_buf_err(out);
}

int cuv_requirements_write(const struct cuv_requirements *r, struct cuv_buf *out)
{
	return write_items(r->items, r->n, "", out);
}

int cuv_requirements_write_constraints(const struct cuv_requirements *r, struct cuv_buf *out)
{
	return write_items(r->constraints, r->n_constraints, "", out);
}

int cuv_requirements_canonical(const struct cuv_requirements *r, struct cuv_buf *out)
{
	int e = cuv_requirements_write(r, out);

	if (e < 0 || r->n == 0)
		return e;
	(void)write_items(r->constraints, r->n_constraints, CUV_CONSTRAINT_WORD, out);
	for (size_t i = 0; i < r->n_indexes; i++)
		cuv_buf_addf(out, "%s %s\n", r->indexes[i].extra ? "--extra-index-url" : "--index-url",
			     r->indexes[i].url);
	return cuv_buf_err(out);
}

/* The first in the order of the files. */
static const struct cuv_requirement *find_first(const struct cuv_requirement *items, size_t n, const char *normal)
{
	const struct cuv_requirement *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (strcmp(items[i].name, normal) == 0 && (!found || items[i].origin < found->origin))
			found = &items[i];
	return found;
}

const struct cuv_requirement *cuv_requirements_find(const struct cuv_requirements *r, const char *name)
{
	_cleanup_buf_ struct cuv_buf normal = CUV_BUF_INIT(CUV_NAME_LEN_MAX);

	if (cuv_name_normalize(name, strlen(name), &normal))
		return NULL;
	return find_first(r->items, r->n, cuv_buf_str(&normal));
}

static bool allows(const struct cuv_requirement *items, size_t n, const char *name, const char *hash)
{
	bool listed = false;

	for (size_t i = 0; i < n; i++) {
		if (items[i].hashes.n == 0 || strcmp(items[i].name, name) != 0)
			continue;
		if (cuv_strv_has(&items[i].hashes, hash))
			return true;
		listed = true;
	}
	return !listed;
}

bool cuv_requirements_allow_hash(const struct cuv_requirements *r, const char *name, const char *hash)
{
	_cleanup_buf_ struct cuv_buf normal = CUV_BUF_INIT(CUV_NAME_LEN_MAX);

	return cuv_name_normalize(name, strlen(name), &normal) == 0 &&
	       allows(r->items, r->n, cuv_buf_str(&normal), hash) &&
	       allows(r->constraints, r->n_constraints, cuv_buf_str(&normal), hash);
}

static void point(const struct cuv_requirements *r, struct cuv_error *err, uint32_t file, uint32_t line,
		  uint32_t column, const char *text)
{
	const char *name = r->files.items[file];

	err->line = line;
	err->column = column;
	cuv_error_copy_text(err->excerpt, sizeof(err->excerpt), text, strlen(text));
	if (file > 0 || r->named)
		cuv_error_copy_text(err->file, sizeof(err->file), name, strlen(name));
}

void cuv_requirements_relocate(const struct cuv_requirements *r, struct cuv_error *err)
{
	const struct cuv_requirement *item;
	const struct cuv_requirements_line *line;
	size_t n = r->n + r->n_constraints;

	if (err->line > n && err->line <= n + r->n_indexes) {
		const struct cuv_requirements_index *x = &r->indexes[err->line - 1 - n];

		point(r, err, x->file, x->number, x->column, x->text);
		return;
	}
	if (err->line == 0 || err->line > n)
		return;
	item = err->line <= r->n ? &r->items[err->line - 1] : &r->constraints[err->line - 1 - r->n];
	line = &r->lines[item->origin];
	point(r, err, line->file, line->number, 1, line->text);
}
