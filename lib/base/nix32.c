/* SPDX-License-Identifier: MIT */
/* Apart from hash.c, because the zygote checks store names and has no libsodium. */
#include "lib/base/hash.h"

#include <errno.h>
#include <string.h>

static const char nix32_alphabet[] = "0123456789abcdfghijklmnpqrsvwxyz";

void cuv_nix32(const void *data, size_t len, char *ret)
{
	const uint8_t *bytes = data;
	size_t n, digits = cuv_nix32_len(len);

	for (n = 0; n < digits; n++) {
		size_t bit = (digits - 1 - n) * 5, i = bit / 8, shift = bit % 8;
		unsigned value = bytes[i] >> shift;

		if (i + 1 < len)
			value |= (unsigned)bytes[i + 1] << (8 - shift);
		ret[n] = nix32_alphabet[value & 0x1f];
	}
	ret[digits] = '\0';
}

bool cuv_is_nix32_char(char c)
{
	return c != '\0' && strchr(nix32_alphabet, c) != NULL;
}

int cuv_unnix32(const char *text, size_t len, void *ret)
{
	size_t n, digits = cuv_nix32_len(len);
	uint8_t *bytes = ret;

	if (strlen(text) != digits)
		return -EINVAL;
	memset(bytes, 0, len);
	for (n = 0; n < digits; n++) {
		size_t bit = (digits - 1 - n) * 5, i = bit / 8, shift = bit % 8;
		const char *at = cuv_is_nix32_char(text[n]) ? strchr(nix32_alphabet, text[n]) : NULL;
		unsigned value;

		if (!at)
			return -EINVAL;
		value = (unsigned)(at - nix32_alphabet) << shift;
		bytes[i] |= (uint8_t)value;
		if (value >> 8) {
			if (i + 1 >= len)
				return -EINVAL;
			bytes[i + 1] |= (uint8_t)(value >> 8);
		}
	}
	return 0;
}
