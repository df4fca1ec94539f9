/* SPDX-License-Identifier: MIT */
#include "nixenv/storepath.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_SIZE 20
#define TYPE_MAX (1u << 20)

void cuv_store_path(const char *store_name, char ret[CUV_STORE_PATH_SIZE])
{
	int n = snprintf(ret, CUV_STORE_PATH_SIZE, CUV_STORE_DIR "/%s", store_name);

	cuv_assert(n > 0 && (size_t)n < CUV_STORE_PATH_SIZE);
}

bool cuv_store_name_part_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > CUV_STORE_NAME_PART_MAX || name[0] == '.')
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+._?=-") == len;
}

int cuv_storepath_make(const char *type, const struct cuv_sha256 *inner, const char *name,
		       char ret[CUV_STORE_NAME_SIZE])
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(TYPE_MAX + 512);
	char hex[CUV_SHA256_HEX_SIZE], base32[40];
	uint8_t digest[DIGEST_SIZE] = {0};
	struct cuv_sha256 hash;
	int n;

	if (!cuv_store_name_part_valid(name))
		return -EINVAL;
	cuv_hex(inner->bytes, sizeof(inner->bytes), hex);
	if (cuv_buf_addf(&text, "%s:sha256:%s:" CUV_STORE_DIR ":%s", type, hex, name) < 0)
		return cuv_buf_err(&text);
	cuv_sha256(text.data, text.len, &hash);
	for (size_t i = 0; i < sizeof(hash.bytes); i++)
		digest[i % DIGEST_SIZE] ^= hash.bytes[i];
	cuv_nix32(digest, sizeof(digest), base32);
	n = snprintf(ret, CUV_STORE_NAME_SIZE, "%s-%s", base32, name);
	cuv_assert(n > 0 && n < CUV_STORE_NAME_SIZE);
	return 0;
}

int cuv_storepath_fixed(bool recursive, const struct cuv_sha256 *hash, const char *name, char ret[CUV_STORE_NAME_SIZE])
{
	char hex[CUV_SHA256_HEX_SIZE], text[128];
	struct cuv_sha256 inner;
	int n;

	if (recursive)
		return cuv_storepath_make("source", hash, name, ret);
	cuv_hex(hash->bytes, sizeof(hash->bytes), hex);
	n = snprintf(text, sizeof(text), "fixed:out:sha256:%s:", hex);
	cuv_sha256(text, (size_t)n, &inner);
	return cuv_storepath_make("output:out", &inner, name, ret);
}

int cuv_storepath_text(const void *text, size_t len, const char *name, const struct cuv_strv *refs,
		       char ret[CUV_STORE_NAME_SIZE])
{
	_cleanup_buf_ struct cuv_buf type = CUV_BUF_INIT(TYPE_MAX);
	struct cuv_sha256 hash;

	cuv_buf_add_str(&type, "text");
	for (size_t i = 0; refs && i < refs->n; i++)
		cuv_buf_addf(&type, ":" CUV_STORE_DIR "/%s", refs->items[i]);
	if (cuv_buf_err(&type))
		return cuv_buf_err(&type);
	cuv_sha256(text, len, &hash);
	return cuv_storepath_make(cuv_buf_str(&type), &hash, name, ret);
}

int cuv_modulo_fixed(bool recursive, const struct cuv_sha256 *hash, const char *name, struct cuv_sha256 *ret)
{
	char store_name[CUV_STORE_NAME_SIZE], path[CUV_STORE_PATH_SIZE], hex[CUV_SHA256_HEX_SIZE], text[512];
	int n, r = cuv_storepath_fixed(recursive, hash, name, store_name);

	if (r < 0)
		return r;
	cuv_store_path(store_name, path);
	cuv_hex(hash->bytes, sizeof(hash->bytes), hex);
	n = snprintf(text, sizeof(text), "fixed:out:%ssha256:%s:%s", recursive ? "r:" : "", hex, path);
	cuv_assert(n > 0 && (size_t)n < sizeof(text));
	cuv_sha256(text, (size_t)n, ret);
	return 0;
}
