/* SPDX-License-Identifier: MIT */
/*
 * The index of environments on the disk: links that are GC roots, and the
 * manifest (cuvette.json) in each environment. Looking one up starts nothing and
 * asks nobody.
 */
#ifndef CUV_BUILDER_INDEX_H
#define CUV_BUILDER_INDEX_H

#include "nixenv/builder/builder.h"

/* A request's key: everything that its environment depends on. */
struct cuv_key {
	char hex[CUV_SHA256_HEX_SIZE];
};
/* ask->python is one of those pinned. */
void cuv_index_key(const struct cuv_builder *b, const struct cuv_env_ask *ask, const void *text, size_t len,
		   struct cuv_key *ret);

/* An environment by its store name: 0; 1 when it was never finished here or its
 * manifest is gone; -EBADMSG, -errno. Fills in all but exclude_s, cached and the
 * two times. ret must be empty. */
int cuv_index_load(const struct cuv_builder *b, const char *store_name, struct cuv_environment *ret);
/* The store name that the environment of a digest has here. */
void cuv_index_store_name(const char digest[CUV_ENV_DIGEST_SIZE], char ret[CUV_STORE_NAME_SIZE]);
/* The lock in an environment's manifest, in canonical form. 0, 1 or negative, as above. */
int cuv_index_lock(const struct cuv_builder *b, const char *store_name, struct cuv_lock *ret);
/* The same by a request's key. */
int cuv_index_find(const struct cuv_builder *b, const struct cuv_key *key, struct cuv_environment *ret);
/* Only where its link leads: 0, or 1 when there is none. */
int cuv_index_target(const struct cuv_builder *b, const struct cuv_key *key, char ret[CUV_STORE_NAME_SIZE]);
/* Whether an environment was finished here, and is still there: two looks at names. */
bool cuv_index_has(const struct cuv_builder *b, const char *store_name);
/* Remembers which environment a request came to. 0 or -errno. */
int cuv_index_put(const struct cuv_builder *b, const struct cuv_key *key, const char *store_name);

/* The link that is made when Nix has finished an environment. */
void cuv_index_env_link(const struct cuv_builder *b, const char *store_name, char ret[PATH_MAX]);

/* Links that name an environment, so that `nix-store --gc` keeps it, are taken away
 * by these: the environment is unknown from then on. */
void cuv_index_drop(const struct cuv_builder *b, const char *store_name);
void cuv_index_drop_key(const struct cuv_builder *b, const char *key_hex);
/* Pinned ones are not evicted. 0 or -errno. */
bool cuv_index_pinned(const struct cuv_builder *b, const char *store_name);
int cuv_index_pin(const struct cuv_builder *b, const char *store_name, bool pinned);

/* Wheels built here that Nix has taken as valid; what was removed since is
 * not known any more. */
bool cuv_index_known(const struct cuv_builder *b, const char *store_name);
int cuv_index_learn(const struct cuv_builder *b, const char *store_name);
void cuv_index_forget(const struct cuv_builder *b, const char *store_name);

#endif
