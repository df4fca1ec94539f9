/* SPDX-License-Identifier: MIT */
/*
 * From text to logical lines, as pip makes them: physical lines that end in a
 * backslash are joined with the next one, then comments are taken off. A map
 * leads from an offset in the logical line back to the text.
 *
 * What joins: a line whose very last character is a backslash, unless the whole
 * line is a comment. A comment-only line ends the logical line before it. A
 * comment behind a requirement that itself ends in a backslash takes the next
 * line into the comment; such a swallowed line is counted, so that it can be
 * reported.
 */
#ifndef CUV_REQUIREMENTS_LINES_H
#define CUV_REQUIREMENTS_LINES_H

#include "lib/base/buf.h"

/* A piece of the logical line that lies together in the text. */
struct cuv_line_piece {
	size_t at;	/* offset in the logical line */
	size_t text_at; /* offset in the text */
};

struct cuv_line_reader {
	const char *text; /* borrowed */
	size_t len;
	size_t pos;
	/* The logical line read last. */
	struct cuv_buf line;
	struct cuv_line_piece *pieces; /* owned */
	size_t n_pieces;
	size_t cap_pieces;
	size_t swallowed_at; /* text offset of a line lost in a comment; SIZE_MAX: none */
};

void cuv_line_reader_init(struct cuv_line_reader *r, const char *text, size_t len);
void cuv_line_reader_done(struct cuv_line_reader *r);

/* Reads the next logical line into r->line, without its comment and the blanks
 * at its end; blank lines come too. 1, 0 at the end, or -ENOMEM. */
int cuv_line_reader_next(struct cuv_line_reader *r);

/* The text offset behind an offset (0 … line.len) of the logical line. */
size_t cuv_line_reader_text_offset(const struct cuv_line_reader *r, size_t at);

#endif
