/* SPDX-License-Identifier: MIT */
/*
 * A .env file: lines of NAME=VALUE, with an optional `export ` before and one
 * pair of quotes around the value; '#' begins a comment at the start of a line,
 * or after a blank in an unquoted value. Nothing is expanded. Lines of any other
 * form are some other program's and are passed over.
 */
#ifndef CUV_DOTENV_H
#define CUV_DOTENV_H

#include "lib/base/strv.h"

#define CUV_DOTENV_BYTES_MAX 65536

/* Appends "NAME=VALUE" strings. A file that isn't there is an empty one. 0, or
 * -errno with errno set (-E2BIG: larger than CUV_DOTENV_BYTES_MAX). */
int cuv_dotenv_read(const char *path, struct cuv_strv *ret);
/* The same from text. */
int cuv_dotenv_parse(const char *text, size_t len, struct cuv_strv *ret);
/* The last value of name, borrowed from v; NULL when there is none. */
const char *cuv_dotenv_get(const struct cuv_strv *v, const char *name);

#endif
