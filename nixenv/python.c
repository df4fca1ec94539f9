/* SPDX-License-Identifier: MIT */
#include "nixenv/python.h"

#include <stdio.h>
#include <string.h>

const struct cuv_python *cuv_python_find(const char *version)
{
	for (size_t i = 0; i < cuv_pythons_n; i++)
		if (strcmp(cuv_pythons[i].version, version) == 0)
			return &cuv_pythons[i];
	return NULL;
}

/* "3.11.2 and 3.13.5" */
static void list(char ret[CUV_PYTHON_TEXT_MAX])
{
	size_t len = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < cuv_pythons_n && len < CUV_PYTHON_TEXT_MAX; i++)
		len += (size_t)snprintf(ret + len, CUV_PYTHON_TEXT_MAX - len, "%s%s",
					i == 0			 ? ""
					: i + 1 == cuv_pythons_n ? " and "
								 : ", ",
					cuv_pythons[i].full);
}

const struct cuv_python *cuv_python_choose(const char *field, const char *wanted, struct cuv_error *err)
{
	char there[CUV_PYTHON_TEXT_MAX];

	if (!wanted)
		return &cuv_pythons[0];
	for (size_t i = 0; i < cuv_pythons_n; i++)
		if (strcmp(wanted, cuv_pythons[i].version) == 0 || strcmp(wanted, cuv_pythons[i].full) == 0)
			return &cuv_pythons[i];
	list(there);
	(void)cuv_error_set(err, CUV_E_FIELD_INVALID, "%s asks for Python %s; there are %s", field, wanted, there);
	return NULL;
}

void cuv_python_suffix(const struct cuv_python *p, char ret[32])
{
	(void)snprintf(ret, 32, "%s%s", p == cuv_pythons ? "" : "-", p == cuv_pythons ? "" : p->image);
}
