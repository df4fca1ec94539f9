/* SPDX-License-Identifier: MIT */
/*
 * What the builder remembers in memory: the environments asked for last, and the
 * requests that failed a moment ago. Both are small tables that lose their oldest
 * entry when full.
 */
#ifndef CUV_BUILDER_CACHE_H
#define CUV_BUILDER_CACHE_H

#include "nixenv/builder/index.h"

#define CUV_CACHE_READY_MAX 256
#define CUV_CACHE_FAILED_MAX 128
#define CUV_CACHE_FAILED_S 60

struct cuv_cache;

struct cuv_cache *cuv_cache_new(void);
struct cuv_cache *cuv_cache_free(struct cuv_cache *c);

/* Borrowed until the next put; NULL when it is not known. */
const struct cuv_environment *cuv_cache_ready(struct cuv_cache *c, const struct cuv_key *key);
/* Takes e over (it is empty afterwards) and replaces what the key had. Returns it, borrowed. */
const struct cuv_environment *cuv_cache_take_ready(struct cuv_cache *c, const struct cuv_key *key,
						   struct cuv_environment *e);
void cuv_cache_drop_ready(struct cuv_cache *c, const struct cuv_key *key);

/* A failure that at now_ns (clock.h) is younger than CUV_CACHE_FAILED_S, or NULL. */
const struct cuv_error *cuv_cache_failed(struct cuv_cache *c, const struct cuv_key *key, uint64_t now_ns);
/* Remembers it, unless it may pass by itself (unreachable, too slow, full, our fault). */
void cuv_cache_put_failed(struct cuv_cache *c, const struct cuv_key *key, const struct cuv_error *err, uint64_t now_ns);

#endif
