/* SPDX-License-Identifier: MIT */
/*
 * The binary caches of others that the operator trusts, from CUVETTE_CACHES: words
 * separated by blanks, each cache's address and then the public key or keys that its
 * paths must be signed by.
 *
 *   https://cuvette:KEY@cache.example.org example-1:base64=
 *
 * Credentials are those in the address, else netrc's; they go to that site only.
 */
#ifndef CUV_BUILDER_CACHES_H
#define CUV_BUILDER_CACHES_H

#include "nixenv/builder/access.h"
#include "nixenv/cachekey.h"

#define CUV_CACHES_MAX 8
#define CUV_CACHE_KEYS_MAX 4

struct cuv_trusted_cache {
	char *url; /* owned; without credentials, ends with '/' */
	struct cuv_cache_key keys[CUV_CACHE_KEYS_MAX];
	size_t n_keys; /* at least 1 */
};

struct cuv_caches {
	struct cuv_trusted_cache items[CUV_CACHES_MAX];
	size_t n;
};
void cuv_caches_done(struct cuv_caches *c);

/* text may be NULL: none. Their sites are added to those that are trusted by name. 0;
 * -EINVAL with err, which does not repeat credentials. */
int cuv_caches_read(const char *text, struct cuv_access *access, struct cuv_caches *ret, struct cuv_error *err);

#endif
