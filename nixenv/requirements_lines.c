/* SPDX-License-Identifier: MIT */
#include "nixenv/requirements_lines.h"

#include "nixenv/pep508_scan.h"

#include <errno.h>

void cuv_line_reader_init(struct cuv_line_reader *r, const char *text, size_t len)
{
	*r = (struct cuv_line_reader){.text = text, .len = len, .swallowed_at = SIZE_MAX};
	/* A joined line is no longer than the text with a blank for each comment. */
	cuv_buf_init(&r->line, len * 2 + 1);
}

void cuv_line_reader_done(struct cuv_line_reader *r)
{
	cuv_buf_done(&r->line);
	free(r->pieces);
	*r = (struct cuv_line_reader){0};
}

static int add_piece(struct cuv_line_reader *r, size_t text_at)
{
	if (r->n_pieces == r->cap_pieces) {
		size_t cap = r->cap_pieces ? r->cap_pieces * 2 : 8;
		struct cuv_line_piece *pieces = reallocarray(r->pieces, cap, sizeof(*pieces));

		if (!pieces)
			return -ENOMEM;
		r->pieces = pieces;
		r->cap_pieces = cap;
	}
	r->pieces[r->n_pieces++] = (struct cuv_line_piece){.at = r->line.len, .text_at = text_at};
	return 0;
}

/* The end of the physical line at r->pos; moves r->pos behind its line end. */
static size_t pass_line(struct cuv_line_reader *r)
{
	size_t end = r->pos;

	while (end < r->len && r->text[end] != '\n' && r->text[end] != '\r')
		end++;
	r->pos = end;
	if (r->pos < r->len && r->text[r->pos] == '\r')
		r->pos++;
	if (r->pos < r->len && r->text[r->pos] == '\n')
		r->pos++;
	return end;
}

static bool is_comment_line(const char *line, size_t len)
{
	size_t i = 0;

	while (i < len && cuv_is_blank(line[i]))
		i++;
	return i < len && line[i] == '#';
}

static bool is_blank_line(const char *line, size_t len)
{
	size_t i = 0;

	while (i < len && cuv_is_blank(line[i]))
		i++;
	return i == len;
}

/* Joins physical lines from r->pos; sets r->line and r->pieces. */
static int join_lines(struct cuv_line_reader *r)
{
	bool joined = false, more;

	do {
		size_t start = r->pos, end = pass_line(r);
		bool comment = is_comment_line(r->text + start, end - start);

		more = !comment && end > start && r->text[end - 1] == '\\';
		/* So that a comment is one also behind a word: `foo\` `#bar`. */
		if (comment && joined)
			cuv_buf_add_char(&r->line, ' ');
		if (add_piece(r, start))
			return -ENOMEM;
		cuv_buf_add(&r->line, r->text + start, end - start - more);
		joined = true;
	} while (more && r->pos < r->len);
	return cuv_buf_err(&r->line);
}

/* Where the comment begins: at a `#` with a blank or nothing before it. */
static size_t find_comment(const struct cuv_buf *line)
{
	for (size_t i = 0; i < line->len; i++)
		if (line->data[i] == '#' && (i == 0 || cuv_is_blank(line->data[i - 1])))
			return i;
	return line->len;
}

/* A line that was joined behind the `#`, though it reads like one of its own. */
static void note_swallowed(struct cuv_line_reader *r, size_t comment_at)
{
	for (size_t i = 0; i < r->n_pieces; i++) {
		size_t at = r->pieces[i].at;
		size_t end = i + 1 < r->n_pieces ? r->pieces[i + 1].at : r->line.len;

		if (at <= comment_at || is_blank_line(r->line.data + at, end - at) ||
		    is_comment_line(r->line.data + at, end - at))
			continue;
		r->swallowed_at = r->pieces[i].text_at;
		return;
	}
}

static void cut_line(struct cuv_buf *line, size_t len)
{
	while (len && cuv_is_blank(line->data[len - 1]))
		len--;
	line->len = len;
	line->data[len] = '\0';
}

int cuv_line_reader_next(struct cuv_line_reader *r)
{
	size_t comment_at;

	if (r->pos >= r->len)
		return 0;
	cuv_buf_reset(&r->line);
	r->n_pieces = 0;
	r->swallowed_at = SIZE_MAX;
	if (join_lines(r) || !cuv_buf_room(&r->line, 0))
		return -ENOMEM;
	comment_at = find_comment(&r->line);
	note_swallowed(r, comment_at);
	cut_line(&r->line, comment_at);
	return 1;
}

size_t cuv_line_reader_text_offset(const struct cuv_line_reader *r, size_t at)
{
	size_t i = r->n_pieces;

	/* The end of the line is behind its last character, not in front of what
	 * may have been joined there. */
	bool behind = at > 0 && at >= r->line.len;

	cuv_assert(i > 0);
	at -= behind;
	while (i > 1 && r->pieces[i - 1].at > at)
		i--;
	return r->pieces[i - 1].text_at + (at - r->pieces[i - 1].at) + behind;
}
