/* SPDX-License-Identifier: MIT */
/*
 * Keys of binary caches, in Nix's form: "name:" and base 64 of the Ed25519 key (secret
 * ones: libsodium's 64 bytes). A signature is the same with 64 bytes of signature; it
 * counts when the name is the key's and it is one of the narinfo's fingerprint.
 */
#ifndef CUV_CACHEKEY_H
#define CUV_CACHEKEY_H

#include "nixenv/narinfo.h"

#include <sodium.h>

#define CUV_CACHE_KEY_NAME_SIZE 128
/* "name:" and at most 88 characters of base 64, with the NUL. */
#define CUV_CACHE_KEY_TEXT_SIZE (CUV_CACHE_KEY_NAME_SIZE + 96)

struct cuv_cache_key {
	char name[CUV_CACHE_KEY_NAME_SIZE]; /* of [A-Za-z0-9._-] */
	uint8_t key[crypto_sign_PUBLICKEYBYTES];
};

struct cuv_cache_secret {
	char name[CUV_CACHE_KEY_NAME_SIZE];
	uint8_t key[crypto_sign_SECRETKEYBYTES];
};

/* A new pair; the name is made of the prefix and of the key itself. */
void cuv_cache_secret_make(const char *prefix, struct cuv_cache_secret *ret);
/* Text of a key; 0 or -EINVAL. */
int cuv_cache_key_parse(const char *text, struct cuv_cache_key *ret);
int cuv_cache_secret_parse(const char *text, struct cuv_cache_secret *ret);
void cuv_cache_secret_text(const struct cuv_cache_secret *s, char ret[CUV_CACHE_KEY_TEXT_SIZE]);
/* The public key's text. */
void cuv_cache_secret_public(const struct cuv_cache_secret *s, char ret[CUV_CACHE_KEY_TEXT_SIZE]);

/* Adds a signature to n->sigs; 0 or -ENOMEM. */
int cuv_narinfo_sign(struct cuv_narinfo *n, const struct cuv_cache_secret *s);
/* Whether one of the signatures is by one of the keys; *ret_sig (may be NULL) is
 * borrowed from n. */
bool cuv_narinfo_verify(const struct cuv_narinfo *n, const struct cuv_cache_key *keys, size_t n_keys,
			const char **ret_sig);

#endif
