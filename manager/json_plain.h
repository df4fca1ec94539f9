/* SPDX-License-Identifier: MIT */
/* The bytes that stand for themselves in a JSON string, as most do: passed over eight at once. */
#ifndef CUV_JSON_PLAIN_H
#define CUV_JSON_PLAIN_H

#include "lib/base/base.h"

#include <string.h>

#define CUV_JSON_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not 0 when one of the eight is 0. */
static inline uint64_t cuv_json_zeros(uint64_t eight)
{
	return (eight - CUV_JSON_EACH(1)) & ~eight & CUV_JSON_EACH(0x80);
}

/* How many bytes from at on neither have to be escaped nor end the string. */
static inline size_t cuv_json_plain(const char *at, size_t len)
{
	size_t n = 0;
	uint64_t eight;

	for (; n + sizeof(eight) <= len; n += sizeof(eight)) {
		memcpy(&eight, at + n, sizeof(eight));
		if (((eight - CUV_JSON_EACH(0x20)) & ~eight & CUV_JSON_EACH(0x80)) |
		    cuv_json_zeros(eight ^ CUV_JSON_EACH('"')) | cuv_json_zeros(eight ^ CUV_JSON_EACH('\\')))
			break;
	}
	while (n < len && (unsigned char)at[n] >= 0x20 && at[n] != '"' && at[n] != '\\')
		n++;
	return n;
}

#endif
