/* SPDX-License-Identifier: MIT */
#include "lib/base/hash.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

void cuv_sha256(const void *data, size_t len, struct cuv_sha256 *ret)
{
	crypto_hash_sha256(ret->bytes, data, len);
}

void cuv_hex(const void *data, size_t len, char *ret)
{
	sodium_bin2hex(ret, len * 2 + 1, data, len);
}

int cuv_unhex(const char *text, size_t len, void *ret)
{
	size_t n;

	if (strlen(text) != len * 2)
		return -EINVAL;
	if (sodium_hex2bin(ret, len, text, len * 2, NULL, &n, NULL) != 0 || n != len)
		return -EINVAL;
	return 0;
}

void cuv_random_id(char ret[CUV_ID_HEX_SIZE])
{
	uint8_t bytes[16];

	randombytes_buf(bytes, sizeof(bytes));
	cuv_hex(bytes, sizeof(bytes), ret);
}
