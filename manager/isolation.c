/* SPDX-License-Identifier: MIT */
#include "manager/isolation.h"

#include <string.h>

static const char *const names[] = {
#define X(suffix, name, text) [CUV_SHARING_##suffix] = name,
	CUV_SHARING_TABLE(X)
#undef X
};

const char *cuv_sharing_name(enum cuv_sharing s)
{
	cuv_assert((unsigned)s < ARRAY_SIZE(names));
	return names[s];
}

int cuv_sharing_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

int cuv_isolation_read(const char *what, const char *text, bool *ret_strict, struct cuv_error *err)
{
	bool strict = strcmp(text, "strict") == 0;

	if (!strict && strcmp(text, "auto") != 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "%s must be `auto`, or `strict` for a box that shares nothing with other runs",
				     what);
	*ret_strict = strict;
	return 0;
}

void cuv_sharing_apply(enum cuv_sharing s, const char *tenant, struct cuv_job_spec *spec)
{
	spec->tenant = s == CUV_SHARING_ENVIRONMENT ? "" : tenant;
	spec->strict = spec->strict || s == CUV_SHARING_NONE;
}
