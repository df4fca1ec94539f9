/* SPDX-License-Identifier: MIT */
#include "manager/json_look.h"

#include "lib/base/parse.h"
#include "lib/base/utf8.h"

#include <string.h>

#define NONE ((struct cuv_json){.at = ""})
#define REPLACEMENT 0xfffdu

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && is_space(*at))
		at++;
	return at;
}

/* at is the first quote; behind the second. */
static const char *skip_string(const char *at, const char *end)
{
	const char *quote = at, *slash;

	while ((quote = memchr(quote + 1, '"', (size_t)(end - quote - 1)))) {
		for (slash = quote; slash[-1] == '\\'; slash--)
			;
		if ((quote - slash) % 2 == 0)
			return quote + 1;
	}
	return end;
}

static const char *skip_nested(const char *at, const char *end)
{
	size_t depth = 0;

	while (at < end) {
		const char c = *at;

		if (c == '"') {
			at = skip_string(at, end);
			continue;
		}
		at++;
		depth += c == '{' || c == '[';
		if ((c == '}' || c == ']') && --depth == 0)
			break;
	}
	return at;
}

static const char *skip_value(const char *at, const char *end)
{
	if (at < end && *at == '"')
		return skip_string(at, end);
	if (at < end && (*at == '{' || *at == '['))
		return skip_nested(at, end);
	while (at < end && !is_space(*at) && !strchr(",:]}", *at))
		at++;
	return at;
}

struct cuv_json cuv_json_of(const char *text, size_t len)
{
	const char *end = text + len, *at = skip_space(text, end);

	return (struct cuv_json){at, (size_t)(skip_value(at, end) - at)};
}

/* What begins behind at, when it has c first. */
static const char *behind(const char *at, const char *end, char c)
{
	at = skip_space(at, end);
	return at < end && *at == c ? skip_space(at + 1, end) : NULL;
}

void cuv_json_members(struct cuv_json object, size_t n, const char *const names[], struct cuv_json ret[])
{
	const char *end = object.at + object.len, *at = behind(object.at, end, '{');
	size_t i, missing = n;

	for (i = 0; i < n; i++)
		ret[i] = NONE;
	for (; missing && at && at < end && *at == '"'; at = behind(at, end, ',')) {
		const struct cuv_json its = {at, (size_t)(skip_string(at, end) - at)};
		const char *value = behind(at + its.len, end, ':');

		if (!value)
			break;
		at = skip_value(value, end);
		for (i = 0; i < n && (ret[i].len || !cuv_json_is(its, names[i])); i++)
			;
		if (i < n) {
			ret[i] = (struct cuv_json){value, (size_t)(at - value)};
			missing--;
		}
	}
}

struct cuv_json cuv_json_member(struct cuv_json object, const char *name)
{
	struct cuv_json ret;

	cuv_json_members(object, 1, &name, &ret);
	return ret;
}

bool cuv_json_next(struct cuv_json array, struct cuv_json *item)
{
	const char *end = array.at + array.len, *at;

	if (!cuv_json_is_array(array))
		return false;
	at = item->len ? behind(item->at + item->len, end, ',') : skip_space(array.at + 1, end);
	if (!at)
		return false;
	*item = (struct cuv_json){at, (size_t)(skip_value(at, end) - at)};
	return item->len > 0;
}

bool cuv_json_is_array(struct cuv_json v)
{
	return v.len >= 2 && *v.at == '[';
}

bool cuv_json_is_null(struct cuv_json v)
{
	return v.len == 4 && memcmp(v.at, "null", 4) == 0;
}

bool cuv_json_is_string(struct cuv_json v)
{
	return v.len >= 2 && *v.at == '"';
}

bool cuv_json_is(struct cuv_json v, const char *text)
{
	const size_t len = strlen(text);

	return cuv_json_is_string(v) && v.len == len + 2 && memcmp(v.at + 1, text, len) == 0;
}

bool cuv_json_number(struct cuv_json v, uint64_t max, uint64_t *ret)
{
	char digits[24];

	if (v.len == 0 || v.len >= sizeof(digits))
		return false;
	memcpy(digits, v.at, v.len);
	digits[v.len] = '\0';
	return cuv_parse_u64(digits, max, ret) == 0;
}

/* Four hexadecimal digits, in valid text. */
static uint32_t unit(const char *at, const char *end)
{
	uint32_t n = 0;
	int i;

	for (i = 0; i < 4 && at < end; i++, at++) {
		const char c = *at;
		const char from = c <= '9' ? '0' : (char)((c < 'a' ? 'A' : 'a') - 10);

		n = n << 4 | ((uint32_t)(c - from) & 0xf);
	}
	return n;
}

static bool is_high(uint32_t n)
{
	return n >= 0xd800 && n < 0xdc00;
}

static bool is_low(uint32_t n)
{
	return n >= 0xdc00 && n < 0xe000;
}

/* at is the u behind the backslash; behind what was taken. */
static const char *put_unit(char **to, const char *at, const char *end)
{
	uint32_t n = unit(at + 1, end), low;

	at = CUV_MIN(at + 5, end);
	if (is_high(n) && end - at >= 6 && at[0] == '\\' && at[1] == 'u' && is_low(low = unit(at + 2, end))) {
		n = 0x10000 + ((n - 0xd800) << 10) + (low - 0xdc00);
		at += 6;
	}
	*to += cuv_utf8_encode(is_high(n) || is_low(n) ? REPLACEMENT : n, *to);
	return at;
}

/* at is behind the backslash. */
static const char *put_escaped(char **to, const char *at, const char *end)
{
	static const char letters[] = "bfnrt", stand_for[] = "\b\f\n\r\t";
	const char *letter = at < end ? memchr(letters, *at, sizeof(letters) - 1) : NULL;

	if (at >= end)
		return end;
	if (*at == 'u')
		return put_unit(to, at, end);
	*(*to)++ = letter ? stand_for[letter - letters] : *at;
	return at + 1;
}

int cuv_json_add_text(struct cuv_buf *b, struct cuv_json v)
{
	const char *end = v.at + (v.len ? v.len - 1 : 0), *at = v.len ? v.at + 1 : end;
	/* What it stands for is never longer. */
	char *first = cuv_json_is_string(v) ? cuv_buf_room(b, (size_t)(end - at)) : NULL, *to = first;

	if (!first)
		return cuv_buf_err(b);
	while (at < end) {
		const char *slash = memchr(at, '\\', (size_t)(end - at));
		const size_t n = (size_t)((slash ? slash : end) - at);

		memcpy(to, at, n);
		to += n;
		at = slash ? put_escaped(&to, slash + 1, end) : end;
	}
	cuv_buf_grew(b, (size_t)(to - first));
	return cuv_buf_err(b);
}
