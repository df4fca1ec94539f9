/* SPDX-License-Identifier: MIT */
/*
 * What is said to `ruff server` and what it answers: the language server protocol
 * (JSON in frames with a Content-Length), as far as one document needs it. No
 * I/O: bytes in, messages out. What the server says is not believed; whatever is
 * not well-formed, or more than the bounds, is -EBADMSG, and the server is over.
 */
#ifndef CUV_RUFF_LSP_H
#define CUV_RUFF_LSP_H

#include "manager/json_look.h"

#define CUV_LSP_MESSAGE_MAX (8u << 20)
#define CUV_LSP_HEADER_MAX 256

/* Takes the server's bytes apart. */
struct cuv_lsp_reader {
	struct cuv_buf in;
	size_t at; /* of in: what has been taken */
};
void cuv_lsp_reader_init(struct cuv_lsp_reader *r);
void cuv_lsp_reader_done(struct cuv_lsp_reader *r);
/* 0, or -ENOMEM, -E2BIG. */
int cuv_lsp_push(struct cuv_lsp_reader *r, const void *data, size_t len);
/* The next message's text, borrowed until the next push: 1; 0: there is none yet; -EBADMSG. */
int cuv_lsp_next(struct cuv_lsp_reader *r, struct cuv_json *ret);
/* Nothing is held that belongs to no message yet. */
bool cuv_lsp_is_empty(const struct cuv_lsp_reader *r);

/* Each appends whole messages; 0 or -ENOMEM. */
#define CUV_LSP_HELLO_ID 1
int cuv_lsp_put_hello(struct cuv_buf *out);
/* True when the answer to hello is one that we can work with. */
bool cuv_lsp_hello_is_good(struct cuv_json result);
/* After the answer to hello. */
int cuv_lsp_put_ready(struct cuv_buf *out);
/* What the document has in it from now on: prefix and text, as version id. first: it is opened. The
 * server says its diagnostics then, unasked, with this id. */
int cuv_lsp_put_document(struct cuv_buf *out, bool first, uint64_t id, const char *prefix, const char *text,
			 size_t len);
/* Asks for the document's formatting, which is answered with this id. */
int cuv_lsp_put_formatting(struct cuv_buf *out, uint64_t id);

struct cuv_lsp_answer {
	uint64_t id;		/* 0: it answers nothing */
	bool diagnostics;	/* of a document's version, not of a request */
	struct cuv_json result; /* none: it is an error */
};
struct cuv_lsp_answer cuv_lsp_look(struct cuv_json message);

/* Diagnostics as our list of warnings (docs/api.md), sorted, as JSON. syntax_only: the first
 * syntax error alone. 0, -EBADMSG, or -ENOMEM. *ret_syntax: there is a syntax error among them. */
int cuv_lsp_warnings(struct cuv_json diagnostics, bool syntax_only, struct cuv_buf *ret, bool *ret_syntax);
/* A formatting answer, which is not null, applied to the text. 0, -EBADMSG, or
 * the buffer's error. */
int cuv_lsp_apply(struct cuv_json edits, const char *text, size_t len, struct cuv_buf *ret);

/* A place in a document, from 0; in characters. */
struct cuv_lsp_place {
	uint64_t line, character;
};
/* An item's range; false when it has none. */
bool cuv_lsp_range(struct cuv_json item, struct cuv_lsp_place *ret_start, struct cuv_lsp_place *ret_end);

#endif
