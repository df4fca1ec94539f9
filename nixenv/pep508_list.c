/* SPDX-License-Identifier: MIT */
#include "nixenv/pep508_list.h"

#include <string.h>

static int compare_items(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void cuv_list_sort_unique(struct cuv_strv *v)
{
	size_t kept = 0;

	if (v->n < 2)
		return;
	qsort(v->items, v->n, sizeof(v->items[0]), compare_items);
	for (size_t i = 1; i < v->n; i++) {
		if (strcmp(v->items[kept], v->items[i]) == 0)
			free(v->items[i]);
		else
			v->items[++kept] = v->items[i];
	}
	v->n = kept + 1;
	/* There is always a place behind the last item for the closing NULL. */
	v->items[v->n] = NULL;
}

int cuv_list_join(const struct cuv_strv *v, const char *separator, struct cuv_buf *out)
{
	for (size_t i = 0; i < v->n; i++) {
		if (i)
			cuv_buf_add_str(out, separator);
		cuv_buf_add_str(out, v->items[i]);
	}
	return cuv_buf_err(out);
}
