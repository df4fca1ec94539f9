/* SPDX-License-Identifier: MIT */
#include "lib/base/utf8.h"

#include <string.h>

/* The allowed range of the second byte and the length, by first byte (Unicode
 * table 3-7). Returns 0 for a byte that can't start a character. */
static size_t lead_info(unsigned char c, unsigned char *ret_low, unsigned char *ret_high)
{
	*ret_low = 0x80;
	*ret_high = 0xbf;
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef) {
		if (c == 0xe0)
			*ret_low = 0xa0;
		if (c == 0xed)
			*ret_high = 0x9f;
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		if (c == 0xf0)
			*ret_low = 0x90;
		if (c == 0xf4)
			*ret_high = 0x8f;
		return 4;
	}
	return 0;
}

/* How many bytes at s form a valid prefix of a character; *ret_complete tells
 * whether that prefix is a whole character. */
static size_t valid_prefix(const char *s, size_t len, bool *ret_complete)
{
	unsigned char low, high;
	size_t need, i;

	*ret_complete = false;
	if (len == 0)
		return 0;
	need = lead_info((unsigned char)s[0], &low, &high);
	if (need == 0)
		return 0;
	for (i = 1; i < need && i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < low || c > high)
			return i;
		low = 0x80;
		high = 0xbf;
	}
	*ret_complete = i == need;
	return i;
}

size_t cuv_utf8_char_len(const char *s, size_t len)
{
	bool complete;
	size_t n = valid_prefix(s, len, &complete);

	return complete ? n : 0;
}

/* How many bytes at s are ASCII, in steps of eight. */
static size_t ascii_prefix(const char *s, size_t len)
{
	size_t n;

	for (n = 0; n + 8 <= len; n += 8) {
		uint64_t eight;

		memcpy(&eight, s + n, sizeof(eight));
		if (eight & 0x8080808080808080u)
			break;
	}
	return n;
}

bool cuv_utf8_valid(const char *s, size_t len)
{
	while (len) {
		size_t n = ascii_prefix(s, len);

		if (n == 0)
			n = cuv_utf8_char_len(s, len);
		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

int cuv_utf8_add_replaced(struct cuv_buf *b, const char *s, size_t len)
{
	size_t start = 0, i = 0;

	while (i < len) {
		bool complete;
		size_t n = valid_prefix(s + i, len - i, &complete);

		if (complete) {
			i += n;
			continue;
		}
		cuv_buf_add(b, s + start, i - start);
		cuv_buf_add(b, "\xef\xbf\xbd", 3);
		i += n ? n : 1;
		start = i;
	}
	cuv_buf_add(b, s + start, len - start);
	return cuv_buf_err(b);
}

size_t cuv_utf8_encode(uint32_t cp, char dst[4])
{
	cuv_assert(cp <= 0x10ffff && !(cp >= 0xd800 && cp <= 0xdfff));
	if (cp < 0x80) {
		dst[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		dst[0] = (char)(0xc0 | (cp >> 6));
		dst[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		dst[0] = (char)(0xe0 | (cp >> 12));
		dst[1] = (char)(0x80 | ((cp >> 6) & 0x3f));
		dst[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | (cp >> 18));
	dst[1] = (char)(0x80 | ((cp >> 12) & 0x3f));
	dst[2] = (char)(0x80 | ((cp >> 6) & 0x3f));
	dst[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}
