/* SPDX-License-Identifier: MIT */
#include "lib/base/error.h"

#include "lib/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHORT_RETRY_S 5
#define CUV_ENOTSUPP 524 /* the kernel's own number: no room is left to compile a filter into */

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

static enum cuv_error_code code_of_errno(int number)
{
	switch (number) {
	case EAGAIN: /* fork, clone, threads: a limit of processes */
		return CUV_E_NO_PROCESSES;
	case ENOMEM:
		return CUV_E_NO_MEMORY;
	case EMFILE:
	case ENFILE:
	case EUSERS: /* namespaces in one another, or of one user */
	case CUV_ENOTSUPP:
		return CUV_E_OVERLOADED;
	case ENOSPC:
	case EDQUOT:
		return CUV_E_NO_SPACE;
	default:
		return CUV_E_INTERNAL;
	}
}

int cuv_error_set_errno(struct cuv_error *err, int r, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -EINVAL;
	va_start(ap, fmt);
	set_message(err, code_of_errno(-r), fmt, ap);
	va_end(ap);
	if (err->code != CUV_E_INTERNAL)
		err->retry_after_s = SHORT_RETRY_S;
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
