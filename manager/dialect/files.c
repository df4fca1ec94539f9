/* SPDX-License-Identifier: MIT */
#include "manager/dialect/files.h"

#include "lib/base/clock.h"
#include "nixenv/requirements.h"

#include <stdio.h>
#include <string.h>

#define DATE_MARK "# exclude-newer: "

const struct cuv_embedded *cuv_dialect_file(const char *name)
{
	const struct cuv_embedded *f = cuv_dialect_files;

	while (f->name && strcmp(f->name, name) != 0)
		f++;
	cuv_assert(f->name);
	return f;
}

static int read_date(const char *text, int64_t *ret)
{
	const char *mark = strstr(text, DATE_MARK);
	char date[CUV_RFC3339_SIZE];
	size_t len;

	if (!mark)
		return -1;
	mark += strlen(DATE_MARK);
	len = strcspn(mark, "\n");
	if (len >= sizeof(date))
		return -1;
	(void)snprintf(date, sizeof(date), "%.*s", (int)len, mark);
	return cuv_parse_rfc3339(date, ret);
}

int cuv_data_science_read(struct cuv_buf *ret, int64_t *ret_exclude_s, struct cuv_error *err)
{
	const struct cuv_embedded *f = cuv_dialect_file("data-science.txt");
	struct cuv_requirements *parsed = NULL;
	int r;

	if (read_date((const char *)f->data, ret_exclude_s) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "data-science.txt has no date");
	r = cuv_requirements_parse(f->data, f->len, &parsed, err);
	if (r == 0 && cuv_requirements_canonical(parsed, ret) < 0)
		r = cuv_error_set(err, CUV_E_OVERLOADED, "no memory for the request");
	cuv_requirements_free(parsed);
	return r;
}
