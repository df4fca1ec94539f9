/* SPDX-License-Identifier: MIT */
#include "nixenv/pep508_scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int cuv_scan_fail(struct cuv_scan *s, size_t pos, enum cuv_error_code code, const char *fmt, ...)
{
	va_list ap;

	cuv_assert(code != CUV_E_NONE);
	if (s->code != CUV_E_NONE)
		return -EINVAL;
	s->code = code;
	s->fail_pos = CUV_MIN(pos, s->len);
	va_start(ap, fmt);
	(void)vsnprintf(s->message, sizeof(s->message), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void cuv_scan_skip_blanks(struct cuv_scan *s)
{
	while (cuv_is_blank(cuv_scan_peek(s)))
		s->pos++;
}

bool cuv_scan_looks_at(const struct cuv_scan *s, const char *what)
{
	size_t len = strlen(what);

	return len <= s->len - s->pos && memcmp(s->text + s->pos, what, len) == 0;
}

bool cuv_scan_eat(struct cuv_scan *s, const char *what)
{
	if (!cuv_scan_looks_at(s, what))
		return false;
	s->pos += strlen(what);
	return true;
}
