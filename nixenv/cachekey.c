/* SPDX-License-Identifier: MIT */
#include "nixenv/cachekey.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_DIGITS 8
#define FINGERPRINT_MAX (1u << 20)

/* "name:base64" of exactly size bytes. */
static int parse(const char *text, char name[CUV_CACHE_KEY_NAME_SIZE], uint8_t *key, size_t size)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strspn(text, letters), n = 0;
	const char *end = NULL;

	if (len == 0 || len >= CUV_CACHE_KEY_NAME_SIZE || text[len] != ':')
		return -EINVAL;
	if (sodium_base642bin(key, size, text + len + 1, strlen(text + len + 1), NULL, &n, &end,
			      sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    n != size || *end)
		return -EINVAL;
	memcpy(name, text, len);
	name[len] = '\0';
	return 0;
}

static void write_text(const char *name, const uint8_t *key, size_t size, char ret[CUV_CACHE_KEY_TEXT_SIZE])
{
	char encoded[sodium_base64_ENCODED_LEN(crypto_sign_BYTES, sodium_base64_VARIANT_ORIGINAL)];

	sodium_bin2base64(encoded, sizeof(encoded), key, size, sodium_base64_VARIANT_ORIGINAL);
	(void)snprintf(ret, CUV_CACHE_KEY_TEXT_SIZE, "%s:%s", name, encoded);
}

void cuv_cache_secret_make(const char *prefix, struct cuv_cache_secret *ret)
{
	uint8_t public[crypto_sign_PUBLICKEYBYTES];
	char hex[NAME_DIGITS + 1];

	cuv_assert(crypto_sign_keypair(public, ret->key) == 0);
	cuv_hex(public, NAME_DIGITS / 2, hex);
	(void)snprintf(ret->name, sizeof(ret->name), "%s-%s", prefix, hex);
}

int cuv_cache_key_parse(const char *text, struct cuv_cache_key *ret)
{
	return parse(text, ret->name, ret->key, sizeof(ret->key));
}

int cuv_cache_secret_parse(const char *text, struct cuv_cache_secret *ret)
{
	return parse(text, ret->name, ret->key, sizeof(ret->key));
}

void cuv_cache_secret_text(const struct cuv_cache_secret *s, char ret[CUV_CACHE_KEY_TEXT_SIZE])
{
	write_text(s->name, s->key, sizeof(s->key), ret);
}

void cuv_cache_secret_public(const struct cuv_cache_secret *s, char ret[CUV_CACHE_KEY_TEXT_SIZE])
{
	uint8_t public[crypto_sign_PUBLICKEYBYTES];

	cuv_assert(crypto_sign_ed25519_sk_to_pk(public, s->key) == 0);
	write_text(s->name, public, sizeof(public), ret);
}

int cuv_narinfo_sign(struct cuv_narinfo *n, const struct cuv_cache_secret *s)
{
	_cleanup_buf_ struct cuv_buf print = CUV_BUF_INIT(FINGERPRINT_MAX);
	uint8_t signature[crypto_sign_BYTES];
	char text[CUV_CACHE_KEY_TEXT_SIZE];
	int r = cuv_narinfo_fingerprint(n, &print);

	if (r < 0)
		return r;
	cuv_assert(crypto_sign_detached(signature, NULL, (const uint8_t *)print.data, print.len, s->key) == 0);
	write_text(s->name, signature, sizeof(signature), text);
	return cuv_strv_add(&n->sigs, text);
}

bool cuv_narinfo_verify(const struct cuv_narinfo *n, const struct cuv_cache_key *keys, size_t n_keys,
			const char **ret_sig)
{
	_cleanup_buf_ struct cuv_buf print = CUV_BUF_INIT(FINGERPRINT_MAX);

	if (cuv_narinfo_fingerprint(n, &print) < 0)
		return false;
	for (size_t i = 0; i < n->sigs.n; i++) {
		uint8_t signature[crypto_sign_BYTES];
		char name[CUV_CACHE_KEY_NAME_SIZE];

		if (parse(n->sigs.items[i], name, signature, sizeof(signature)) < 0)
			continue;
		for (size_t k = 0; k < n_keys; k++) {
			if (strcmp(name, keys[k].name) != 0 ||
			    crypto_sign_verify_detached(signature, (const uint8_t *)print.data, print.len,
							keys[k].key) != 0)
				continue;
			if (ret_sig)
				*ret_sig = n->sigs.items[i];
			return true;
		}
	}
	return false;
}
