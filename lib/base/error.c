/* SPDX-License-Identifier: MIT */
#include "lib/base/error.h"

#include "lib/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int http;
} error_table[_CUV_E_MAX] = {
#define X(n, kebab, status, text) [CUV_E_##n] = {kebab, status},
	CUV_ERROR_TABLE(X)
#undef X
};

void cuv_error_copy_text(char *dst, size_t size, const char *src, size_t len)
{
	size_t in = 0, out = 0;

	cuv_assert(size > 0);
	while (in < len) {
		size_t n = cuv_utf8_char_len(src + in, len - in);
		unsigned char c = (unsigned char)src[in];

		if (n == 0 || (n == 1 && (c == 0x7f || (c < 0x20 && c != '\n' && c != '\t')))) {
			if (out + 1 >= size)
				break;
			dst[out++] = '?';
			in++;
			continue;
		}
		if (out + n >= size)
			break;
		memcpy(dst + out, src + in, n);
		out += n;
		in += n;
	}
	dst[out] = '\0';
}

static _printf_(3, 0) void set_message(struct cuv_error *err, enum cuv_error_code code, const char *fmt, va_list ap)
{
	char text[sizeof(err->message)];
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	size_t len = n < 0 ? 0 : CUV_MIN((size_t)n, sizeof(text) - 1);

	*err = (struct cuv_error){.code = code};
	cuv_error_copy_text(err->message, sizeof(err->message), text, len);
}

int cuv_error_set(struct cuv_error *err, enum cuv_error_code code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -EINVAL;
	va_start(ap, fmt);
	set_message(err, code, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int cuv_error_set_at(struct cuv_error *err, enum cuv_error_code code, uint32_t line, uint32_t column, const char *text,
		     size_t len, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -EINVAL;
	va_start(ap, fmt);
	set_message(err, code, fmt, ap);
	va_end(ap);
	err->line = line;
	err->column = column;
	cuv_error_copy_text(err->excerpt, sizeof(err->excerpt), text, len);
	return -EINVAL;
}

const char *cuv_error_name(enum cuv_error_code code)
{
	return (unsigned)code < _CUV_E_MAX ? error_table[code].name : "internal";
}

int cuv_error_http_status(enum cuv_error_code code)
{
	return (unsigned)code < _CUV_E_MAX ? error_table[code].http : 500;
}
