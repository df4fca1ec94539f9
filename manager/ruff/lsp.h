/* SPDX-License-Identifier: MIT */
/*
 * What is said to `ruff server` and what it answers: the language server protocol
 * (JSON in frames with a Content-Length), as far as one document needs it. No
 * I/O: bytes in, messages out. What the server says is not believed; whatever is
 * not well-formed, or more than the bounds, is -EBADMSG, and the server is over.
 */
#ifndef CUV_RUFF_LSP_H
#define CUV_RUFF_LSP_H

#include "lib/base/buf.h"

#include <jansson.h>

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
/* The next message, an object (a new reference): 1; 0: there is none yet; -EBADMSG. */
int cuv_lsp_next(struct cuv_lsp_reader *r, json_t **ret);
/* Nothing is held that belongs to no message yet. */
bool cuv_lsp_is_empty(const struct cuv_lsp_reader *r);

/* Each appends whole messages; 0 or -ENOMEM. Requests are answered with their id. */
#define CUV_LSP_HELLO_ID 1
int cuv_lsp_put_hello(struct cuv_buf *out);
/* True when the answer to hello is one that we can work with. */
bool cuv_lsp_hello_is_good(const json_t *answer);
/* After the answer to hello. */
int cuv_lsp_put_ready(struct cuv_buf *out);
/* Opens a document of prefix and text, asks for its diagnostics (id; only without
 * a prefix) and its formatting (id + 1), and closes it. */
int cuv_lsp_put_document(struct cuv_buf *out, json_int_t id, const char *prefix, const char *text, size_t len);

/* Whether a message is the answer with this id (others are notifications). One
 * without a result is an error. */
bool cuv_lsp_answers(const json_t *message, json_int_t id);

/* A diagnostic answer as our list of warnings (docs/api.md), sorted; a new
 * reference, NULL when it is not one. *ret_syntax: there is a syntax error among
 * them. */
json_t *cuv_lsp_warnings(const json_t *result, bool *ret_syntax);
/* A formatting answer, which is not null, applied to the text. 0, -EBADMSG, or
 * the buffer's error. */
int cuv_lsp_apply(const json_t *result, const char *text, size_t len, struct cuv_buf *ret);

#endif
