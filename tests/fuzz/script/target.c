/* SPDX-License-Identifier: MIT */
/*
 * Any UTF-8 as a program with a header (PEP 723). What is accepted has a canonical form
 * that is its own, and places inside the program; what is refused comes with a code
 * and a place.
 */
#include "lib/base/utf8.h"
#include "nixenv/script.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(const struct cuv_error *err)
{
	cuv_assert(err->code == CUV_E_SCRIPT_INVALID || err->code == CUV_E_REQUIREMENT_INVALID ||
		   err->code == CUV_E_REQUIREMENT_UNSUPPORTED || err->code == CUV_E_TOO_LARGE);
	cuv_assert(err->line > 0 && err->column > 0 && strcmp(err->file, "main.py") == 0);
	cuv_assert(err->message[0] && cuv_utf8_valid(err->message, strlen(err->message)));
	cuv_assert(cuv_utf8_valid(err->excerpt, strlen(err->excerpt)));
}

static void check_script(const struct cuv_script *s)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *again = NULL;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	const struct cuv_python *p;
	struct cuv_error err = CUV_ERROR_INIT;

	if (cuv_requirements_canonical(s->requirements, &text) < 0)
		return;
	cuv_assert(cuv_requirements_parse_canonical(cuv_buf_str(&text), text.len, &again, &err) == 0);
	cuv_assert(again->n == s->requirements->n && s->requirements->n_constraints == 0);
	for (size_t i = 0; i < s->requirements->n_lines; i++)
		cuv_assert(s->requirements->lines[i].number > 1);
	p = cuv_script_python(s, NULL, &err);
	cuv_assert(p || (err.code == CUV_E_REQUIREMENTS_UNRESOLVABLE && err.line > 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_script_ struct cuv_script s = CUV_SCRIPT_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	int r;

	if (!cuv_utf8_valid((const char *)data, size))
		return 0;
	r = cuv_script_read((const char *)data, size, "main.py", &s, &err);
	if (r < 0)
		check_refusal(&err);
	else if (r == 1)
		check_script(&s);
	return 0;
}
