/* SPDX-License-Identifier: MIT */
/* A list of owned strings, always followed by a NULL, so that items can be
 * handed to execve. Empty lists may have items == NULL. */
#ifndef CUV_STRV_H
#define CUV_STRV_H

#include "lib/base/base.h"

struct cuv_strv {
	char **items;
	size_t n;
	size_t cap;
};

#define CUV_STRV_INIT ((struct cuv_strv){0})

void cuv_strv_done(struct cuv_strv *v);
/* Appends a copy; 0 or -ENOMEM. */
int cuv_strv_add(struct cuv_strv *v, const char *s);
int cuv_strv_add_len(struct cuv_strv *v, const char *s, size_t len);
int cuv_strv_addf(struct cuv_strv *v, const char *fmt, ...) _printf_(2, 3);
bool cuv_strv_has(const struct cuv_strv *v, const char *s);

#define _cleanup_strv_ _cleanup_(cuv_strv_done)

#endif
