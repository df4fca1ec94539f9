/* SPDX-License-Identifier: MIT */
/*
 * A byte buffer that grows up to a maximum given when it is made.
 *
 * Invariants: len <= max; data[len] is NUL whenever data is not NULL, so text
 * content can be used as a C string. The first failure (-ENOMEM, or -E2BIG when
 * max would be passed) is kept in err; later appends then do nothing, so a
 * caller may append freely and check cuv_buf_err() once.
 */
#ifndef CUV_BUF_H
#define CUV_BUF_H

#include "lib/base/base.h"

struct cuv_buf {
	char *data; /* owned; NULL while empty */
	size_t len;
	size_t cap;
	size_t max;
	int err;
};

/* Static initialiser; max is the largest content in bytes. */
#define CUV_BUF_INIT(max_bytes) ((struct cuv_buf){.max = (max_bytes)})

void cuv_buf_init(struct cuv_buf *b, size_t max_bytes);
/* Frees the content; the buffer is empty and usable again with the same max. */
void cuv_buf_done(struct cuv_buf *b);
/* Forgets content and error but keeps the memory. */
void cuv_buf_reset(struct cuv_buf *b);

/* Append; 0, or the sticky error. */
int cuv_buf_add(struct cuv_buf *b, const void *data, size_t len);
int cuv_buf_add_str(struct cuv_buf *b, const char *s);
int cuv_buf_add_char(struct cuv_buf *b, char c);
int cuv_buf_addf(struct cuv_buf *b, const char *fmt, ...) _printf_(2, 3);

/* Makes room for n more bytes; returns where to write them, NULL on error.
 * Then call cuv_buf_grew with how many were really written. */
char *cuv_buf_room(struct cuv_buf *b, size_t n);
void cuv_buf_grew(struct cuv_buf *b, size_t n);

/* The content as a C string, "" when empty; borrowed until the next change. */
const char *cuv_buf_str(const struct cuv_buf *b);
/* Moves the content (NUL-terminated, possibly "") out; the caller frees it.
 * NULL when the buffer has an error. */
char *cuv_buf_take(struct cuv_buf *b, size_t *ret_len);

static inline int cuv_buf_err(const struct cuv_buf *b)
{
	return b->err;
}

#define _cleanup_buf_ _cleanup_(cuv_buf_done)

#endif
