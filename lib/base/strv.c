/* SPDX-License-Identifier: MIT */
#include "lib/base/strv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cuv_strv_done(struct cuv_strv *v)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		free(v->items[i]);
	free(v->items);
	*v = CUV_STRV_INIT;
}

/* Takes s, also on failure. */
static int add_owned(struct cuv_strv *v, char *s)
{
	if (!s)
		return -ENOMEM;
	if (v->n + 2 > v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 8;
		char **items = reallocarray(v->items, cap, sizeof(*items));

		if (!items) {
			free(s);
			return -ENOMEM;
		}
		v->items = items;
		v->cap = cap;
	}
	v->items[v->n++] = s;
	v->items[v->n] = NULL;
	return 0;
}

int cuv_strv_add(struct cuv_strv *v, const char *s)
{
	return add_owned(v, strdup(s));
}

int cuv_strv_add_len(struct cuv_strv *v, const char *s, size_t len)
{
	char *copied = malloc(len + 1);

	/* Not strndup: bytes of a file have no NUL after them. */
	if (copied) {
		memcpy(copied, s, len);
		copied[len] = '\0';
	}
	return add_owned(v, copied);
}

int cuv_strv_addf(struct cuv_strv *v, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? -ENOMEM : add_owned(v, s);
}

bool cuv_strv_has(const struct cuv_strv *v, const char *s)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (strcmp(v->items[i], s) == 0)
			return true;
	return false;
}
