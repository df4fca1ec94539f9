/* SPDX-License-Identifier: MIT */
#include "manager/part_header.h"

#include "lib/base/hash.h"
#include "lib/base/utf8.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_token_char(char c)
{
	unsigned char u = (unsigned char)c;

	return u > 0x20 && u < 0x7f && !strchr("()<>@,;:\\\"/[]?={}", c);
}

static void skip_blanks(struct cuv_params *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
		p->at++;
}

static int add_char(char *dst, size_t size, size_t *len, char c)
{
	if (*len + 1 >= size)
		return -EINVAL;
	dst[(*len)++] = c;
	return 0;
}

static int read_quoted(struct cuv_params *p, char *value, size_t size, size_t *len)
{
	p->at++;
	while (p->at < p->end && *p->at != '"') {
		if (*p->at == '\\' && p->at + 1 < p->end && (p->at[1] == '"' || p->at[1] == '\\'))
			p->at++;
		if (add_char(value, size, len, *p->at++) < 0)
			return -EINVAL;
	}
	if (p->at == p->end)
		return -EINVAL; /* no closing quote */
	p->at++;
	return 0;
}

int cuv_params_next(struct cuv_params *p, char *key, size_t key_size, char *value, size_t value_size,
		    size_t *ret_value_len)
{
	size_t key_len = 0, len = 0;

	skip_blanks(p);
	if (p->at == p->end)
		return 0;
	if (*p->at != ';')
		return -EINVAL;
	p->at++;
	skip_blanks(p);
	while (p->at < p->end && is_token_char(*p->at)) {
		char c = *p->at++;

		if (add_char(key, key_size, &key_len, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c) < 0)
			return -EINVAL;
	}
	if (key_len == 0 || p->at == p->end || *p->at != '=')
		return -EINVAL;
	key[key_len] = '\0';
	p->at++;
	if (p->at < p->end && *p->at == '"') {
		if (read_quoted(p, value, value_size, &len) < 0)
			return -EINVAL;
	} else {
		while (p->at < p->end && is_token_char(*p->at))
			if (add_char(value, value_size, &len, *p->at++) < 0)
				return -EINVAL;
		if (len == 0)
			return -EINVAL;
	}
	value[len] = '\0';
	*ret_value_len = len;
	return 1;
}

/* Text that may stand in an answer and a log: UTF-8, no control characters. */
static bool is_clean_text(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return cuv_utf8_valid(s, len);
}

/* filename*: UTF-8'language'percent-encoded (RFC 8187). */
static int decode_extended(const char *value, char *dst, size_t size)
{
	const char *at;
	size_t len = 0;

	if (strncasecmp(value, "utf-8'", 6) != 0)
		return -EINVAL;
	at = strchr(value + 6, '\'');
	if (!at)
		return -EINVAL;
	for (at++; *at; at++) {
		char c = *at;

		if (c == '%') {
			char digits[3] = {at[1], at[1] ? at[2] : '\0', '\0'};

			if (cuv_unhex(digits, 1, &c) < 0)
				return -EINVAL;
			at += 2;
		}
		if (add_char(dst, size, &len, c) < 0)
			return -EINVAL;
	}
	dst[len] = '\0';
	return is_clean_text(dst, len) ? 0 : -EINVAL;
}

static int bad(struct cuv_error *err, const char *what)
{
	return cuv_error_set(err, CUV_E_BAD_MULTIPART, "Content-Disposition of a part: %s", what);
}

struct disposition {
	bool name;
	bool filename;
	bool extended;
	char plain[CUV_PART_FILENAME_SIZE];
};

static int disposition_param(const char *key, const char *value, size_t len, struct cuv_part *part,
			     struct disposition *seen, struct cuv_error *err)
{
	if (strcmp(key, "name") == 0) {
		if (seen->name)
			return bad(err, "`name` stands twice");
		if (len == 0 || len >= sizeof(part->name) || !is_clean_text(value, len))
			return bad(err, "`name` must be 1 to 127 bytes of UTF-8 without control characters");
		memcpy(part->name, value, len + 1);
		seen->name = true;
	} else if (strcmp(key, "filename") == 0) {
		if (seen->filename)
			return bad(err, "`filename` stands twice");
		if (!is_clean_text(value, len))
			return bad(err, "`filename` must be UTF-8 without control characters");
		memcpy(seen->plain, value, len + 1);
		seen->filename = true;
	} else if (strcmp(key, "filename*") == 0) {
		if (seen->extended)
			return bad(err, "`filename*` stands twice");
		if (decode_extended(value, part->filename, sizeof(part->filename)) < 0)
			return bad(err, "`filename*` must be UTF-8'' and percent-encoded UTF-8");
		seen->extended = true;
	}
	return 0;
}

static int read_disposition(const char *value, size_t len, struct cuv_part *part, struct cuv_error *err)
{
	struct disposition seen = {0};
	struct cuv_params p = {.at = value, .end = value + len};
	const size_t kind = strlen("form-data");
	int r;

	if (len < kind || strncasecmp(value, "form-data", kind) != 0)
		return bad(err, "it must be form-data");
	p.at += kind;
	for (;;) {
		char key[32], text[CUV_PART_FILENAME_SIZE];
		size_t text_len;

		r = cuv_params_next(&p, key, sizeof(key), text, sizeof(text), &text_len);
		if (r < 0)
			return bad(err, "a parameter is not well-formed or too long");
		if (r == 0)
			break;
		r = disposition_param(key, text, text_len, part, &seen, err);
		if (r < 0)
			return r;
	}
	if (!seen.name)
		return bad(err, "`name` is missing");
	part->has_filename = seen.filename || seen.extended;
	if (seen.filename && !seen.extended)
		memcpy(part->filename, seen.plain, sizeof(seen.plain));
	return 0;
}

static int check_encoding(const char *value, size_t len, struct cuv_error *err)
{
	static const char *const plain[] = {"7bit", "8bit", "binary"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(plain); i++)
		if (strlen(plain[i]) == len && strncasecmp(value, plain[i], len) == 0)
			return 0;
	return cuv_error_set(
		err, CUV_E_BAD_MULTIPART,
		"Content-Transfer-Encoding of a part must be binary, 8bit or 7bit: send the bytes as they are");
}

static bool is_named(const char *line, size_t name_len, const char *name)
{
	return strlen(name) == name_len && strncasecmp(line, name, name_len) == 0;
}

int cuv_part_header_line(const char *line, size_t len, struct cuv_part *part, bool *has_disposition,
			 struct cuv_error *err)
{
	const char *colon = memchr(line, ':', len), *value, *end = line + len;
	size_t i, name_len = colon ? (size_t)(colon - line) : 0;

	for (i = 0; i < name_len; i++)
		if (!is_token_char(line[i]))
			name_len = 0;
	if (name_len == 0)
		return cuv_error_set(err, CUV_E_BAD_MULTIPART, "a header line of a part is not `Name: value`");
	for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++)
		;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (is_named(line, name_len, "content-disposition")) {
		if (*has_disposition)
			return bad(err, "it stands twice");
		*has_disposition = true;
		return read_disposition(value, (size_t)(end - value), part, err);
	}
	if (is_named(line, name_len, "content-transfer-encoding"))
		return check_encoding(value, (size_t)(end - value), err);
	return 0; /* Content-Type and the rest say nothing that we act on */
}
