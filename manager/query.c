/* SPDX-License-Identifier: MIT */
#include "manager/query.h"

#include "manager/http_head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef char text[CUV_QUERY_VALUE_SIZE];

/* One name or value, of len bytes. */
static int decode(const char *raw, size_t len, text ret)
{
	char buf[3 * CUV_QUERY_VALUE_SIZE];

	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, raw, len);
	buf[len] = '\0';
	for (char *at = strchr(buf, '+'); at; at = strchr(at, '+'))
		*at = ' ';
	return cuv_http_decode_path(buf, ret, sizeof(text));
}

static int bad(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_BAD_REQUEST,
			     "what follows `?` is not at most %d fields `name=value`, percent-encoded UTF-8 of at most "
			     "%d bytes each",
			     CUV_QUERY_FIELDS_MAX, CUV_QUERY_VALUE_SIZE - 1);
}

static int check_new(text *names, size_t n, struct cuv_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], names[n]) == 0)
			return cuv_error_set(err, CUV_E_FIELD_DUPLICATE, "`%s` stands in the query twice", names[n]);
	return 0;
}

int cuv_query_each(const char *raw, int (*each)(void *arg, const char *name, const char *value, struct cuv_error *err),
		   void *arg, struct cuv_error *err)
{
	text names[CUV_QUERY_FIELDS_MAX], value;
	size_t n = 0;
	int r = 0;

	if (!raw)
		return 0;
	if (strlen(raw) > CUV_QUERY_BYTES_MAX)
		return bad(err);
	for (size_t len; r == 0 && *raw; raw += len + (raw[len] == '&')) {
		const char *equals = NULL;

		len = strcspn(raw, "&");
		if (len == 0)
			continue;
		equals = memchr(raw, '=', len);
		if (n == CUV_QUERY_FIELDS_MAX || !equals || decode(raw, (size_t)(equals - raw), names[n]) < 0 ||
		    decode(equals + 1, len - (size_t)(equals + 1 - raw), value) < 0)
			return bad(err);
		r = check_new(names, n, err);
		if (r == 0)
			r = each(arg, names[n++], value, err);
	}
	return r;
}
