/* SPDX-License-Identifier: MIT */
/*
 * Bytes → text (requirements_text) → logical lines (requirements_lines) →
 * requirements (pep508*, pep440*, marker*) and options (requirements_option), some of
 * which lead into another file (requirements_include). Nothing of the user's text is
 * copied into the canonical form: each part is read into its meaning and written anew,
 * so what the grammar does not know can't come through.
 */
#include "nixenv/requirements.h"

#include "nixenv/requirements_include.h"
#include "nixenv/requirements_index.h"
#include "nixenv/requirements_line.h"
#include "nixenv/requirements_lines.h"
#include "nixenv/requirements_option.h"
#include "nixenv/requirements_result.h"
#include "nixenv/requirements_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum state { UNREAD, BEING_READ, READ };

/* All files of one request. */
struct parse {
	struct cuv_requirements_files *files;
	bool canonical;
	struct cuv_requirements *result;
	struct cuv_error *err;
	enum state state[CUV_REQUIREMENTS_FILES_MAX][2]; /* as requirements, as constraints */
	int depth;
	size_t n_lines;
	size_t total; /* bytes of all files */
};

/* One of them. */
struct source {
	struct parse *p;
	size_t index;
	bool constraints;
	struct cuv_buf text;
	struct cuv_line_reader reader;
	size_t counted; /* up to this offset of the text, … */
	uint32_t line;	/* … which is on this line */
};

static void source_done(struct source *s)
{
	cuv_line_reader_done(&s->reader);
	cuv_buf_done(&s->text);
}

static int read_source(struct parse *p, size_t index, bool constraints);

/* --- places --- */

/* Says which file an error is about; the first one is not named. */
static int in_file(struct source *s, int r)
{
	if (r == -EINVAL && s->index > 0)
		cuv_error_copy_text(s->p->err->file, sizeof(s->p->err->file), s->p->files->items[s->index].name,
				    strlen(s->p->files->items[s->index].name));
	return r;
}

/* A failure at an offset of the logical line read last. */
static int fail_line(struct source *s, enum cuv_error_code code, size_t at, const char *message)
{
	return in_file(s, cuv_requirements_fail_at(s->p->err, code, s->text.data, s->text.len,
						   cuv_line_reader_text_offset(&s->reader, at), message));
}

/* The line of a text offset that is not before one asked for earlier. */
static uint32_t line_of(struct source *s, size_t text_at)
{
	if (text_at < s->counted)
		return cuv_requirements_line_of(s->text.data, s->text.len, text_at);
	s->line +=
		cuv_requirements_line_of(s->text.data + s->counted, s->text.len - s->counted, text_at - s->counted) - 1;
	s->counted = text_at;
	return s->line;
}

static int ignore(struct source *s, size_t text_at, const char *name, const char *reason)
{
	struct cuv_requirements *result = s->p->result;

	if (result->n_ignored >= CUV_REQUIREMENTS_IGNORED_MAX)
		return in_file(s,
			       cuv_requirements_fail_at(s->p->err, CUV_E_TOO_LARGE, s->text.data, s->text.len, text_at,
							"the file has too many options without effect; remove them"));
	result->ignored[result->n_ignored++] = (struct cuv_requirements_ignored){
		.file = (uint32_t)s->index,
		.line = line_of(s, text_at),
		.name = name,
		.reason = reason,
	};
	return 0;
}

/* --- lines --- */

/* One more file; its name was kept in the result. */
static int take_file(struct parse *p, const struct cuv_requirements_file *f)
{
	if (f->len > CUV_REQUIREMENTS_BYTES_MAX)
		return cuv_error_set(p->err, CUV_E_TOO_LARGE,
				     "the requirements file has %zu bytes; at most %d are read", f->len,
				     CUV_REQUIREMENTS_BYTES_MAX);
	p->total += f->len;
	if (p->total > CUV_REQUIREMENTS_TOTAL_MAX)
		return cuv_error_set(p->err, CUV_E_TOO_LARGE, "the requirements files have more than %d bytes together",
				     CUV_REQUIREMENTS_TOTAL_MAX);
	return cuv_strv_add(&p->result->files, f->name);
}

/* The file of this name; *ret is its index. 0, 1 when there is none, or negative
 * with err set. */
static int find_file(struct parse *p, const char *name, size_t *ret)
{
	struct cuv_requirements_files *f = p->files;
	size_t i = 0;
	int r;

	while (i < f->n && strcmp(f->items[i].name, name) != 0)
		i++;
	*ret = i;
	if (i < f->n)
		return 0;
	if (!f->load)
		return 1;
	if (i == CUV_REQUIREMENTS_FILES_MAX)
		return cuv_error_set(p->err, CUV_E_TOO_LARGE, "there are more than %d requirements files",
				     CUV_REQUIREMENTS_FILES_MAX);
	r = f->load(f->arg, name, &f->items[i]);
	if (r < 0)
		return r == -ENOMEM ? r : 1;
	f->n++;
	return take_file(p, &f->items[i]);
}

/* `-r name` and `-c name`. What a file of constraints includes are constraints too:
 * nothing in it asks for a package. */
static int include(struct source *s, struct cuv_scan *scan, const struct cuv_requirements_option *o)
{
	struct parse *p = s->p;
	bool constraints = s->constraints || o->kind == CUV_OPTION_CONSTRAINT;
	char name[CUV_ERROR_FILE_SIZE];
	const char *reason;
	size_t i;
	int r;

	if (cuv_include_resolve(p->files->items[s->index].name, scan->text + o->value_at, o->value_len, name, &reason) <
	    0)
		return cuv_scan_fail(scan, o->value_at, CUV_E_REQUIREMENT_UNSUPPORTED, "%s", reason);
	r = find_file(p, name, &i);
	if (r < 0)
		return r;
	if (r > 0)
		return cuv_scan_fail(
			scan, o->value_at, CUV_E_REQUIREMENTS_FILE_MISSING,
			"there is no file `%s` with the requirements; send it along under this name, or put it "
			"beside them",
			name);
	if (p->state[i][0] == BEING_READ || p->state[i][1] == BEING_READ)
		return cuv_scan_fail(
			scan, o->value_at, CUV_E_REQUIREMENT_INVALID,
			"the file `%s` is being read already: files may not include one another in a circle", name);
	if (p->depth >= CUV_REQUIREMENTS_DEPTH_MAX)
		return cuv_scan_fail(scan, o->value_at, CUV_E_TOO_LARGE, "files may include one another %d deep",
				     CUV_REQUIREMENTS_DEPTH_MAX);
	return p->state[i][constraints] == READ ? 0 : read_source(p, i, constraints);
}

/* Where this index stands in the list; n_indexes when it is not there. */
static size_t find_index(const struct cuv_requirements *r, const char *url, bool extra)
{
	size_t i = 0;

	while (i < r->n_indexes && (r->indexes[i].extra != extra || strcmp(r->indexes[i].url, url) != 0))
		i++;
	return i;
}

/* Notes an index; one that is named again counts once. */
static int put_index(struct source *s, struct cuv_scan *scan, size_t start, const char *url, bool extra)
{
	struct cuv_requirements *r = s->p->result;
	size_t text_at = cuv_line_reader_text_offset(&s->reader, start), at = extra ? r->n_indexes : 0;
	char excerpt[sizeof(((struct cuv_error *)NULL)->excerpt)];
	struct cuv_requirements_index x = {.extra = extra, .file = (uint32_t)s->index};

	if (find_index(r, url, extra) < r->n_indexes)
		return 0;
	if (!extra && r->n_indexes > 0 && !r->indexes[0].extra)
		return cuv_scan_fail(scan, start, CUV_E_REQUIREMENT_INVALID,
				     "another --index-url was named before: there is one that takes the place of the "
				     "service's own; use --extra-index-url for more");
	if (r->n_indexes == CUV_REQUIREMENTS_INDEXES_MAX)
		return cuv_scan_fail(scan, start, CUV_E_TOO_LARGE, "there are more than %d indexes",
				     CUV_REQUIREMENTS_INDEXES_MAX);
	cuv_requirements_excerpt(s->text.data, s->text.len, text_at, excerpt);
	x.number = line_of(s, text_at);
	x.column = cuv_requirements_column_of(s->text.data, s->text.len, text_at);
	x.url = strdup(url);
	x.text = strdup(excerpt);
	memmove(&r->indexes[at + 1], &r->indexes[at], (r->n_indexes - at) * sizeof(r->indexes[0]));
	r->indexes[at] = x;
	r->n_indexes++;
	return x.url && x.text ? 0 : -ENOMEM;
}

/* `--index-url address` and `--extra-index-url address`, which begin at start. */
static int add_index(struct source *s, struct cuv_scan *scan, size_t start, const struct cuv_requirements_option *o)
{
	_cleanup_buf_ struct cuv_buf url = CUV_BUF_INIT(CUV_URL_LEN_MAX);
	int r = cuv_index_address(scan, o->value_at, o->value_len, &url);

	return r < 0 ? r : put_index(s, scan, start, cuv_buf_str(&url), o->kind == CUV_OPTION_EXTRA_INDEX);
}

/* A line that begins with `-`. */
static int parse_options(struct source *s, struct cuv_scan *scan)
{
	while (!cuv_scan_at_end(scan)) {
		struct cuv_requirements_option o;
		size_t start = scan->pos;
		int r;

		if (cuv_scan_peek(scan) != '-')
			return cuv_scan_fail(
				scan, start, CUV_E_REQUIREMENT_INVALID,
				"only another option may stand here; a requirement needs a line of its own");
		r = cuv_option_parse(scan, &o);
		if (r)
			return r;
		if (o.kind == CUV_OPTION_IGNORED)
			r = ignore(s, cuv_line_reader_text_offset(&s->reader, start), o.name, o.reason);
		else if (o.kind == CUV_OPTION_INDEX || o.kind == CUV_OPTION_EXTRA_INDEX)
			r = add_index(s, scan, start, &o);
		else
			r = include(s, scan, &o);
		if (r)
			return r;
		cuv_scan_skip_blanks(scan);
	}
	return 0;
}

static int check_constraint(struct cuv_scan *scan, size_t start, const struct cuv_requirement *item)
{
	if (item->extras.n)
		return cuv_scan_fail(scan, start, CUV_E_REQUIREMENT_INVALID,
				     "a constraint has no extras: it says nothing about what is installed");
	if (item->direct.kind != CUV_DIRECT_NONE)
		return cuv_scan_fail(scan, start, CUV_E_REQUIREMENT_UNSUPPORTED,
				     "a constraint can't have an address; write it as a requirement");
	return 0;
}

/* Notes where an item came from; start is its offset in the logical line. */
static int add_line(struct source *s, size_t start, struct cuv_requirement *item, bool constraint, size_t index)
{
	struct cuv_requirements *result = s->p->result;
	size_t text_at = cuv_line_reader_text_offset(&s->reader, start);
	struct cuv_requirements_line *line = &result->lines[result->n_lines];
	char excerpt[sizeof(((struct cuv_error *)NULL)->excerpt)];

	cuv_requirements_excerpt(s->text.data, s->text.len, text_at, excerpt);
	*line = (struct cuv_requirements_line){
		.file = (uint32_t)s->index,
		.number = line_of(s, text_at),
		.text = strdup(excerpt),
		.constraint = constraint,
		.item = index,
	};
	if (!line->text)
		return -ENOMEM;
	item->line = line->number;
	item->origin = result->n_lines++;
	return 0;
}

static int add_requirement(struct source *s, struct cuv_scan *scan)
{
	struct cuv_requirements *result = s->p->result;
	bool constraint = s->constraints || (s->p->canonical && cuv_scan_eat(scan, CUV_CONSTRAINT_WORD));
	size_t *n = constraint ? &result->n_constraints : &result->n, start = scan->pos;
	size_t max = constraint ? CUV_CONSTRAINTS_MAX : CUV_REQUIREMENTS_MAX;
	struct cuv_requirement *item;
	int r;

	if (*n >= max)
		return cuv_scan_fail(scan, start, CUV_E_TOO_LARGE, "there are more than %zu %s", max,
				     constraint ? "constraints" : "requirements");
	if (cuv_requirements_reserve(result, constraint) < 0)
		return -ENOMEM;
	item = constraint ? &result->constraints[*n] : &result->items[*n];
	*n += 1;
	r = cuv_requirement_line_parse(scan, item);
	if (r == 0 && constraint)
		r = check_constraint(scan, start, item);
	return r == 0 ? add_line(s, start, item, constraint, *n - 1) : r;
}

static int parse_line(struct source *s)
{
	static const char swallowed[] =
		"the comment on the line before ends in a backslash, so this line is part of it";
	struct cuv_scan scan = CUV_SCAN_INIT(cuv_buf_str(&s->reader.line), s->reader.line.len);
	int r;

	if (s->reader.swallowed_at != SIZE_MAX) {
		r = ignore(s, s->reader.swallowed_at, "comment", swallowed);
		if (r)
			return r;
	}
	cuv_scan_skip_blanks(&scan);
	if (cuv_scan_at_end(&scan))
		return 0;
	r = cuv_requirement_line_check(&scan);
	if (r == 0)
		r = cuv_scan_peek(&scan) == '-' && !(s->p->canonical && cuv_scan_looks_at(&scan, CUV_CONSTRAINT_WORD))
			    ? parse_options(s, &scan)
			    : add_requirement(s, &scan);
	return scan.code == CUV_E_NONE ? r : fail_line(s, scan.code, scan.fail_pos, scan.message);
}

/* --- files --- */

static int parse_lines(struct source *s)
{
	char message[CUV_SCAN_MESSAGE_SIZE];
	int r;

	while ((r = cuv_line_reader_next(&s->reader)) > 0) {
		if (++s->p->n_lines > CUV_REQUIREMENTS_LINES_MAX) {
			(void)snprintf(message, sizeof(message), "there are more than %d lines",
				       CUV_REQUIREMENTS_LINES_MAX);
			return fail_line(s, CUV_E_TOO_LARGE, 0, message);
		}
		r = parse_line(s);
		if (r)
			return r;
	}
	return r;
}

static int read_source(struct parse *p, size_t index, bool constraints)
{
	const struct cuv_requirements_file *f = &p->files->items[index];
	/* A UTF-16 character of two bytes may take three as UTF-8. */
	_cleanup_(source_done) struct source s = {.p = p,
						  .index = index,
						  .constraints = constraints,
						  .text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX * 2),
						  .line = 1};
	int r = in_file(&s, cuv_requirements_decode(f->data, f->len, &s.text, p->err));

	if (r)
		return r;
	p->state[index][constraints] = BEING_READ;
	p->depth++;
	cuv_line_reader_init(&s.reader, s.text.data, s.text.len);
	r = parse_lines(&s);
	p->depth--;
	p->state[index][constraints] = READ;
	return r;
}

static int check_canonical_size(const struct parse *p)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	int r = cuv_requirements_canonical(p->result, &text);

	if (r == -E2BIG)
		return cuv_error_set(p->err, CUV_E_TOO_LARGE,
				     "the requirements take more than %d bytes when written out in full",
				     CUV_REQUIREMENTS_BYTES_MAX);
	return r;
}

static int parse_all(struct parse *p)
{
	int r = 0;

	p->result = cuv_requirements_new();
	if (!p->result)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < p->files->n; i++)
		r = take_file(p, &p->files->items[i]);
	if (r == 0)
		r = read_source(p, 0, false);
	if (r)
		return r;
	cuv_requirements_fold(p->result);
	return check_canonical_size(p);
}

static int run(struct parse *p, struct cuv_requirements **ret, struct cuv_error *err)
{
	struct cuv_error failure = CUV_ERROR_INIT;
	int r;

	p->err = err ? err : &failure;
	p->err->file[0] = '\0';
	r = parse_all(p);
	if (r == -ENOMEM)
		(void)cuv_error_set(err, CUV_E_INTERNAL, "there was not enough memory to read the requirements");
	if (r == 0)
		*ret = p->result;
	else
		cuv_requirements_free(p->result);
	return r;
}

int cuv_requirements_parse_files(struct cuv_requirements_files *files, struct cuv_requirements **ret,
				 struct cuv_error *err)
{
	struct parse p = {.files = files};

	cuv_assert(files->n > 0 && files->n <= CUV_REQUIREMENTS_FILES_MAX);
	return run(&p, ret, err);
}

int cuv_requirements_parse(const void *data, size_t len, struct cuv_requirements **ret, struct cuv_error *err)
{
	struct cuv_requirements_files files = {.items = {{"requirements.txt", data, len}}, .n = 1};

	return cuv_requirements_parse_files(&files, ret, err);
}

int cuv_requirements_parse_canonical(const void *data, size_t len, struct cuv_requirements **ret, struct cuv_error *err)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *reqs = NULL;
	_cleanup_buf_ struct cuv_buf again = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	struct cuv_requirements_files files = {.items = {{"", data, len}}, .n = 1};
	struct parse p = {.files = &files, .canonical = true};

	if (run(&p, &reqs, err) < 0)
		return -EINVAL;
	if (cuv_requirements_canonical(reqs, &again) < 0 || again.len != len ||
	    (len > 0 && memcmp(again.data, data, len) != 0))
		return cuv_error_set(err, CUV_E_INTERNAL, "the requirements are not in canonical form");
	*ret = TAKE_PTR(reqs);
	return 0;
}
