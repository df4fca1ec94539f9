/* SPDX-License-Identifier: MIT */
#include "nixenv/requirements_text.h"

#include "lib/base/utf8.h"
#include "nixenv/pep508_scan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_SIZE 256

static bool ends_line(const char *text, size_t len, size_t i)
{
	return text[i] == '\n' || (text[i] == '\r' && (i + 1 >= len || text[i + 1] != '\n'));
}

uint32_t cuv_requirements_line_of(const char *text, size_t len, size_t at)
{
	uint32_t line = 1;

	for (size_t i = 0; i < at && i < len; i++)
		line += ends_line(text, len, i);
	return line;
}

/* Who may read an error need not be who may know a password in it: what stands
 * between `://` and `@` in the line becomes stars in the excerpt, which is the line's
 * beginning, byte for byte. */
static void mask_credentials(const char *line, size_t len, char *excerpt)
{
	size_t shown = strlen(excerpt);

	for (size_t i = 0; i + 3 <= len; i++) {
		size_t end, at;

		if (memcmp(line + i, "://", 3) != 0)
			continue;
		for (end = i + 3; end < len && !strchr("/?# \t", line[end]);)
			end++;
		for (at = end; at > i + 3 && line[at - 1] != '@';)
			at--;
		for (size_t k = i + 3; k + 1 < at && k < shown; k++)
			excerpt[k] = '*';
	}
}

/* Where the line of this offset begins; *ret_len becomes its length. */
static size_t line_at(const char *text, size_t len, size_t at, size_t *ret_len)
{
	size_t start = at, end;

	while (start > 0 && !ends_line(text, len, start - 1))
		start--;
	for (end = start; end < len && text[end] != '\n' && text[end] != '\r';)
		end++;
	*ret_len = end - start;
	return start;
}

void cuv_requirements_excerpt(const char *text, size_t len, size_t at,
			      char ret[sizeof(((struct cuv_error *)NULL)->excerpt)])
{
	size_t n, start = line_at(text, len, CUV_MIN(at, len), &n);

	cuv_error_copy_text(ret, sizeof(((struct cuv_error *)NULL)->excerpt), text + start, n);
	mask_credentials(text + start, n, ret);
}

uint32_t cuv_requirements_column_of(const char *text, size_t len, size_t at)
{
	uint32_t column = 1;
	size_t n;

	at = CUV_MIN(at, len);
	for (size_t i = line_at(text, len, at, &n); i < at; column++) {
		size_t step = cuv_utf8_char_len(text + i, at - i);

		i += step ? step : 1;
	}
	return column;
}

int cuv_requirements_fail_at(struct cuv_error *err, enum cuv_error_code code, const char *text, size_t len, size_t at,
			     const char *message)
{
	uint32_t column = cuv_requirements_column_of(text, len, at);

	at = CUV_MIN(at, len);
	(void)cuv_error_set_at(err, code, cuv_requirements_line_of(text, len, at), column, "", 0, "%s", message);
	if (err)
		cuv_requirements_excerpt(text, len, at, err->excerpt);
	return -EINVAL;
}

static uint32_t utf16_unit(const uint8_t *p, bool big_endian)
{
	return big_endian ? (uint32_t)(p[0] << 8 | p[1]) : (uint32_t)(p[1] << 8 | p[0]);
}

/* One character at data; how many bytes it took, 0 when it is not valid. */
static size_t utf16_char(const uint8_t *data, size_t len, bool big_endian, uint32_t *ret)
{
	uint32_t unit, low;

	if (len < 2)
		return 0;
	unit = utf16_unit(data, big_endian);
	*ret = unit;
	if (unit < 0xd800 || unit > 0xdfff)
		return 2;
	if (unit > 0xdbff || len < 4)
		return 0;
	low = utf16_unit(data + 2, big_endian);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*ret = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	return 4;
}

static int decode_utf16(const uint8_t *data, size_t len, bool big_endian, struct cuv_buf *out, struct cuv_error *err)
{
	size_t i = 0;

	while (i < len) {
		uint32_t c = 0;
		size_t n = utf16_char(data + i, len - i, big_endian, &c);
		char utf8[4];

		if (n == 0)
			return cuv_requirements_fail_at(
				err, CUV_E_REQUIREMENTS_ENCODING, cuv_buf_str(out), out->len, out->len,
				"the file begins as UTF-16, but from here on it is not; save it as UTF-8");
		cuv_buf_add(out, utf8, cuv_utf8_encode(c, utf8));
		i += n;
	}
	return cuv_buf_err(out);
}

static int decode_utf8(const char *data, size_t len, struct cuv_buf *out, struct cuv_error *err)
{
	char message[MESSAGE_SIZE];
	size_t i = 0;

	while (i < len) {
		size_t n = cuv_utf8_char_len(data + i, len - i);

		if (n == 0) {
			(void)snprintf(message, sizeof(message),
				       "the byte 0x%02x is not UTF-8; save the file as UTF-8 (or UTF-16 with a byte "
				       "order mark)",
				       (unsigned char)data[i]);
			return cuv_requirements_fail_at(err, CUV_E_REQUIREMENTS_ENCODING, data, len, i, message);
		}
		i += n;
	}
	return cuv_buf_add(out, data, len);
}

/* The value of a character that is at most three bytes long here. */
static uint32_t code_point(const char *s, size_t n)
{
	uint32_t a = (unsigned char)s[0];

	if (n == 2)
		return (a & 0x1f) << 6 | ((unsigned char)s[1] & 0x3f);
	if (n == 3)
		return (a & 0x0f) << 12 | ((unsigned char)s[1] & 0x3fu) << 6 | ((unsigned char)s[2] & 0x3f);
	return a;
}

static bool is_refused(uint32_t c)
{
	if (c == '\t' || c == '\n' || c == '\r')
		return false;
	/* U+2028 and U+2029 end a line for some tools and not for others. */
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

static int refuse_controls(const struct cuv_buf *text, struct cuv_error *err)
{
	char message[MESSAGE_SIZE];

	for (size_t i = 0, n; i < text->len; i += n) {
		uint32_t c;

		n = cuv_utf8_char_len(text->data + i, text->len - i);
		cuv_assert(n > 0);
		c = n > 3 ? ' ' : code_point(text->data + i, n);
		if (c == 0)
			return cuv_requirements_fail_at(err, CUV_E_REQUIREMENTS_ENCODING, text->data, text->len, i,
							"a NUL byte is not text; a UTF-16 file needs a byte order "
							"mark, or save the file as UTF-8");
		if (!is_refused(c))
			continue;
		(void)snprintf(message, sizeof(message),
			       "the control character U+%04X can't stand in a requirements file; "
			       "remove it",
			       (unsigned)c);
		return cuv_requirements_fail_at(err, CUV_E_REQUIREMENT_INVALID, text->data, text->len, i, message);
	}
	return 0;
}

static bool is_coding_char(char c)
{
	return cuv_is_alnum(c) || c == '-' || c == '_' || c == '.';
}

/* utf-8, UTF8, utf_8, utf-8-sig and the like. */
static bool is_utf8_name(const char *name, size_t len)
{
	char folded[16];
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (name[i] == '-' || name[i] == '_' || name[i] == '.')
			continue;
		if (n + 1 >= sizeof(folded))
			return false;
		folded[n++] = cuv_lower(name[i]);
	}
	folded[n] = '\0';
	return strcmp(folded, "utf8") == 0 || strcmp(folded, "utf8sig") == 0;
}

/* Where `coding:` or `coding=` (PEP 263) names an encoding in this comment line;
 * SIZE_MAX when it does not. */
static size_t find_coding(const char *line, size_t len, size_t *ret_len)
{
	static const char word[] = "coding";
	const size_t word_len = sizeof(word) - 1;

	for (size_t i = 1; i + word_len < len; i++) {
		size_t at = i + word_len, end;

		if (memcmp(line + i, word, word_len) != 0 || (line[at] != ':' && line[at] != '='))
			continue;
		for (at++; at < len && cuv_is_blank(line[at]);)
			at++;
		for (end = at; end < len && is_coding_char(line[end]);)
			end++;
		*ret_len = end - at;
		if (end > at)
			return at;
	}
	return SIZE_MAX;
}

/* PEP 263 looks at the first two lines only. */
static int check_coding(const char *text, size_t len, struct cuv_error *err)
{
	size_t start = 0;

	for (int line = 0; line < 2 && start < len; line++) {
		size_t end = start, at, n = 0;

		while (end < len && !ends_line(text, len, end))
			end++;
		at = text[start] == '#' ? find_coding(text + start, end - start, &n) : SIZE_MAX;
		if (at != SIZE_MAX && !is_utf8_name(text + start + at, n)) {
			char message[MESSAGE_SIZE];

			(void)snprintf(message, sizeof(message),
				       "the coding comment names `%.*s`; only utf-8 is served: save the file as UTF-8 "
				       "and drop "
				       "the comment",
				       CUV_SCAN_SHOWN(n), text + start + at);
			return cuv_requirements_fail_at(err, CUV_E_REQUIREMENTS_ENCODING, text, len, start + at,
							message);
		}
		start = end + 1;
	}
	return 0;
}

int cuv_requirements_decode(const void *data, size_t len, struct cuv_buf *out, struct cuv_error *err)
{
	const uint8_t *bytes = data;
	size_t at = out->len;
	int r;

	cuv_assert(at == 0);
	if (len >= 4 && (memcmp(bytes, "\xff\xfe\0\0", 4) == 0 || memcmp(bytes, "\0\0\xfe\xff", 4) == 0))
		return cuv_error_set(err, CUV_E_REQUIREMENTS_ENCODING,
				     "the file is UTF-32; save it as UTF-8 (or UTF-16 with a byte order mark)");
	if (len >= 2 && memcmp(bytes, "\xff\xfe", 2) == 0) {
		r = decode_utf16(bytes + 2, len - 2, false, out, err);
	} else if (len >= 2 && memcmp(bytes, "\xfe\xff", 2) == 0) {
		r = decode_utf16(bytes + 2, len - 2, true, out, err);
	} else if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		r = decode_utf8((const char *)bytes + 3, len - 3, out, err);
	} else {
		/* The comment first: it says better why the bytes are not UTF-8. */
		r = check_coding((const char *)bytes, len, err);
		if (r == 0)
			r = decode_utf8((const char *)bytes, len, out, err);
	}
	return r ? r : refuse_controls(out, err);
}
