/* SPDX-License-Identifier: MIT */
#include "lib/base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cuv_buf_init(struct cuv_buf *b, size_t max_bytes)
{
	*b = CUV_BUF_INIT(max_bytes);
}

void cuv_buf_done(struct cuv_buf *b)
{
	size_t max = b->max;

	free(b->data);
	*b = CUV_BUF_INIT(max);
}

void cuv_buf_reset(struct cuv_buf *b)
{
	b->len = 0;
	b->err = 0;
	if (b->data)
		b->data[0] = '\0';
}

char *cuv_buf_room(struct cuv_buf *b, size_t n)
{
	size_t need, cap;
	char *data;

	if (b->err)
		return NULL;
	if (n > b->max - b->len) {
		b->err = -E2BIG;
		return NULL;
	}
	need = b->len + n + 1;
	if (need > b->cap) {
		cap = CUV_MAX(b->cap, (size_t)64);
		while (cap < need)
			cap *= 2;
		cap = CUV_MIN(cap, b->max + 1);
		data = realloc(b->data, cap);
		if (!data) {
			b->err = -ENOMEM;
			return NULL;
		}
		b->data = data;
		b->cap = cap;
	}
	return b->data + b->len;
}

void cuv_buf_grew(struct cuv_buf *b, size_t n)
{
	cuv_assert(b->data && b->len + n < b->cap);
	b->len += n;
	b->data[b->len] = '\0';
}

int cuv_buf_add(struct cuv_buf *b, const void *data, size_t len)
{
	char *room = cuv_buf_room(b, len);

	if (!room)
		return b->err;
	if (len)
		memcpy(room, data, len);
	cuv_buf_grew(b, len);
	return 0;
}

int cuv_buf_add_str(struct cuv_buf *b, const char *s)
{
	return cuv_buf_add(b, s, strlen(s));
}

int cuv_buf_add_char(struct cuv_buf *b, char c)
{
	return cuv_buf_add(b, &c, 1);
}

int cuv_buf_addf(struct cuv_buf *b, const char *fmt, ...)
{
	const size_t have = b->err || !b->data ? 0 : b->cap - b->len;
	va_list ap;
	char *room;
	int n;

	/* Mostly it fits into what is there. */
	va_start(ap, fmt);
	n = vsnprintf(have ? b->data + b->len : NULL, have, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->err = b->err ? b->err : -EINVAL;
		return b->err;
	}
	room = cuv_buf_room(b, (size_t)n);
	if (!room) {
		if (have)
			b->data[b->len] = '\0';
		return b->err;
	}
	if ((size_t)n >= have) {
		va_start(ap, fmt);
		(void)vsnprintf(room, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	cuv_buf_grew(b, (size_t)n);
	return 0;
}

const char *cuv_buf_str(const struct cuv_buf *b)
{
	return b->data ? b->data : "";
}

char *cuv_buf_take(struct cuv_buf *b, size_t *ret_len)
{
	char *data;

	if (b->err || !cuv_buf_room(b, 0))
		return NULL;
	b->data[b->len] = '\0';
	if (ret_len)
		*ret_len = b->len;
	data = TAKE_PTR(b->data);
	cuv_buf_done(b);
	return data;
}
