/* SPDX-License-Identifier: MIT */
/*
 * Bytes → text (requirements_text) → logical lines (requirements_lines) →
 * requirements (pep508, pep440*, marker*) and options (requirements_option).
 * Nothing of the user's text is copied into the canonical form: each part is
 * read into its meaning and written anew, so what the grammar does not know can't
 * come through.
 */
#include "nixenv/requirements.h"

#include "nixenv/pep508_list.h"
#include "nixenv/requirements_line.h"
#include "nixenv/requirements_lines.h"
#include "nixenv/requirements_option.h"
#include "nixenv/requirements_text.h"

#include <errno.h>
#include <string.h>

/* State of one file's parse. */
struct parse {
	struct cuv_buf text;
	struct cuv_line_reader reader;
	struct cuv_requirements *result;
	struct cuv_error *err;
};

struct cuv_requirements *cuv_requirements_free(struct cuv_requirements *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n; i++)
		cuv_requirement_done(&r->items[i]);
	free(r->items);
	free(r);
	return NULL;
}

static void parse_done(struct parse *p)
{
	p->result = cuv_requirements_free(p->result);
	cuv_line_reader_done(&p->reader);
	cuv_buf_done(&p->text);
}

/* A failure at an offset of the logical line read last. */
static int fail_line(struct parse *p, enum cuv_error_code code, size_t at, const char *message)
{
	return cuv_requirements_fail_at(p->err, code, p->text.data, p->text.len,
					cuv_line_reader_text_offset(&p->reader, at), message);
}

static int ignore(struct parse *p, size_t text_at, const char *name, const char *reason)
{
	struct cuv_requirements *result = p->result;

	if (result->n_ignored >= CUV_REQUIREMENTS_IGNORED_MAX)
		return cuv_requirements_fail_at(p->err, CUV_E_TOO_LARGE, p->text.data, p->text.len, text_at,
						"the file has too many options without effect; remove them");
	result->ignored[result->n_ignored++] = (struct cuv_requirements_ignored){
		.line = cuv_requirements_line_of(p->text.data, p->text.len, text_at),
		.name = name,
		.reason = reason,
	};
	return 0;
}

/* A line that begins with `-`: options, all of them ignorable. */
static int parse_options(struct parse *p, struct cuv_scan *s)
{
	while (!cuv_scan_at_end(s)) {
		size_t start = s->pos;
		const char *name, *reason;
		int r;

		if (cuv_scan_peek(s) != '-')
			return cuv_scan_fail(
				s, start, CUV_E_REQUIREMENT_INVALID,
				"only another option may stand here; a requirement needs a line of its own");
		r = cuv_option_parse_ignored(s, &name, &reason);
		if (r)
			return r;
		r = ignore(p, cuv_line_reader_text_offset(&p->reader, start), name, reason);
		if (r)
			return r;
		cuv_scan_skip_blanks(s);
	}
	return 0;
}

static int add_requirement(struct parse *p, struct cuv_scan *s)
{
	struct cuv_requirements *result = p->result;
	struct cuv_requirement *item;
	size_t start = s->pos;
	int r;

	if (result->n >= CUV_REQUIREMENTS_MAX)
		return cuv_scan_fail(s, start, CUV_E_TOO_LARGE, "the file has more than %d requirements",
				     CUV_REQUIREMENTS_MAX);
	item = &result->items[result->n++];
	r = cuv_requirement_line_parse(s, item);
	if (r)
		return r;
	item->line =
		cuv_requirements_line_of(p->text.data, p->text.len, cuv_line_reader_text_offset(&p->reader, start));
	return 0;
}

static int parse_line(struct parse *p)
{
	static const char swallowed[] =
		"the comment on the line before ends in a backslash, so this line is part of it";
	struct cuv_scan s = CUV_SCAN_INIT(cuv_buf_str(&p->reader.line), p->reader.line.len);
	int r;

	if (p->reader.swallowed_at != SIZE_MAX) {
		r = ignore(p, p->reader.swallowed_at, "comment", swallowed);
		if (r)
			return r;
	}
	cuv_scan_skip_blanks(&s);
	if (cuv_scan_at_end(&s))
		return 0;
	r = cuv_requirement_line_check(&s);
	if (r == 0)
		r = cuv_scan_peek(&s) == '-' ? parse_options(p, &s) : add_requirement(p, &s);
	return s.code == CUV_E_NONE ? r : fail_line(p, s.code, s.fail_pos, s.message);
}

static int parse_lines(struct parse *p)
{
	size_t n_lines = 0;
	int r;

	while ((r = cuv_line_reader_next(&p->reader)) > 0) {
		if (++n_lines > CUV_REQUIREMENTS_LINES_MAX)
			return fail_line(p, CUV_E_TOO_LARGE, 0, "the file has more than 500 lines");
		r = parse_line(p);
		if (r)
			return r;
	}
	return r;
}

/* The same text on several lines: the first of them stays. */
static int compare_items(const void *a, const void *b)
{
	const struct cuv_requirement *left = a, *right = b;
	int r = strcmp(left->text, right->text);

	return r ? r : (left->line > right->line) - (left->line < right->line);
}

static void sort_and_fold(struct cuv_requirements *r)
{
	size_t kept = 0;

	if (r->n < 2)
		return;
	qsort(r->items, r->n, sizeof(r->items[0]), compare_items);
	for (size_t i = 1; i < r->n; i++) {
		if (strcmp(r->items[kept].text, r->items[i].text) == 0)
			cuv_requirement_done(&r->items[i]);
		else
			r->items[++kept] = r->items[i];
	}
	r->n = kept + 1;
}

static int check_canonical_size(struct parse *p)
{
	size_t size = 0;

	for (size_t i = 0; i < p->result->n; i++)
		size += strlen(p->result->items[i].text) + 1;
	if (size > CUV_REQUIREMENTS_BYTES_MAX)
		return cuv_error_set(p->err, CUV_E_TOO_LARGE,
				     "the requirements take more than %d bytes when written out in full",
				     CUV_REQUIREMENTS_BYTES_MAX);
	return 0;
}

static int parse_file(struct parse *p, const void *data, size_t len)
{
	int r;

	p->result = calloc(1, sizeof(*p->result));
	if (!p->result)
		return -ENOMEM;
	p->result->items = calloc(CUV_REQUIREMENTS_MAX, sizeof(p->result->items[0]));
	if (!p->result->items)
		return -ENOMEM;
	r = cuv_requirements_decode(data, len, &p->text, p->err);
	if (r)
		return r;
	cuv_line_reader_init(&p->reader, p->text.data, p->text.len);
	r = parse_lines(p);
	if (r)
		return r;
	sort_and_fold(p->result);
	return check_canonical_size(p);
}

int cuv_requirements_parse(const void *data, size_t len, struct cuv_requirements **ret, struct cuv_error *err)
{
	/* A UTF-16 character of two bytes may take three as UTF-8. */
	_cleanup_(parse_done) struct parse p = {.text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX * 2)};
	struct cuv_error failure = CUV_ERROR_INIT;
	int r;

	p.err = err ? err : &failure;
	if (len > CUV_REQUIREMENTS_BYTES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "the requirements file has %zu bytes; at most %d are read",
				     len, CUV_REQUIREMENTS_BYTES_MAX);
	r = parse_file(&p, data, len);
	if (r == -ENOMEM)
		(void)cuv_error_set(err, CUV_E_INTERNAL, "there was not enough memory to read the requirements");
	if (r)
		return r;
	*ret = TAKE_PTR(p.result);
	return 0;
}

int cuv_requirements_canonical(const struct cuv_requirements *r, struct cuv_buf *out)
{
	for (size_t i = 0; i < r->n; i++) {
		cuv_buf_add_str(out, r->items[i].text);
		cuv_buf_add_char(out, '\n');
	}
	return cuv_buf_err(out);
}

const struct cuv_requirement *cuv_requirements_find(const struct cuv_requirements *r, const char *name)
{
	_cleanup_buf_ struct cuv_buf normal = CUV_BUF_INIT(CUV_NAME_LEN_MAX);
	const struct cuv_requirement *found = NULL;

	if (cuv_name_normalize(name, strlen(name), &normal))
		return NULL;
	for (size_t i = 0; i < r->n; i++) {
		const struct cuv_requirement *item = &r->items[i];

		if (strcmp(item->name, cuv_buf_str(&normal)) == 0 && (!found || item->line < found->line))
			found = item;
	}
	return found;
}

void cuv_requirements_relocate(const void *data, size_t len, struct cuv_error *err)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *parsed = NULL;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(2 * CUV_REQUIREMENTS_BYTES_MAX);
	size_t start = 0, end;
	uint32_t line;

	if (err->line == 0 || cuv_requirements_parse(data, len, &parsed, NULL) < 0 || err->line > parsed->n)
		return;
	line = parsed->items[err->line - 1].line;
	if (cuv_requirements_decode(data, len, &text, NULL) < 0)
		return;
	while (start < text.len && cuv_requirements_line_of(text.data, text.len, start) < line)
		start++;
	for (end = start; end < text.len && text.data[end] != '\n' && text.data[end] != '\r'; end++)
		;
	err->line = line;
	err->column = 1;
	cuv_error_copy_text(err->excerpt, sizeof(err->excerpt), text.data + start, end - start);
}
