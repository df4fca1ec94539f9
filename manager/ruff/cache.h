/* SPDX-License-Identifier: MIT */
/*
 * What ruff said of code that came before, by its digest: the same bytes give
 * the same answer, so it belongs to whoever sends them. Bounded in bytes; the one
 * that was not asked for the longest goes first. Safe from many threads.
 */
#ifndef CUV_RUFF_CACHE_H
#define CUV_RUFF_CACHE_H

#include "lib/base/buf.h"

#include <pthread.h>

/* What format and check say together. */
struct cuv_ruff_report {
	bool parsed;		  /* false: the code can't be parsed, and formatted is empty */
	struct cuv_buf formatted; /* the whole text */
	struct cuv_buf warnings;  /* our list (docs/api.md) as JSON */
};
void cuv_ruff_report_init(struct cuv_ruff_report *r);
void cuv_ruff_report_done(struct cuv_ruff_report *r);

/* What code is found by, here alone: BLAKE2b, which takes a fifth of SHA-256's time. */
#define CUV_RUFF_KEY_SIZE 32
struct cuv_ruff_key {
	uint8_t bytes[CUV_RUFF_KEY_SIZE];
};

struct cuv_ruff_entry;

#define CUV_RUFF_CACHE_BUCKETS 1024

struct cuv_ruff_cache {
	pthread_mutex_t lock;
	size_t max_bytes;
	size_t bytes;
	struct cuv_ruff_entry *bucket[CUV_RUFF_CACHE_BUCKETS];
	struct cuv_ruff_entry *oldest, *youngest;
};
void cuv_ruff_cache_init(struct cuv_ruff_cache *c, size_t max_bytes);
void cuv_ruff_cache_done(struct cuv_ruff_cache *c);

/* The key of code for a ruff (its store name; the settings are ours). */
void cuv_ruff_cache_key(const char *ruff, const char *code, size_t len, struct cuv_ruff_key *ret);

enum cuv_ruff_known {
	CUV_RUFF_UNKNOWN,
	CUV_RUFF_KNOWN,	   /* the report is in *ret */
	CUV_RUFF_TOO_MUCH, /* a server was lost with it: it gets a box of its own */
};
/* Copies into *ret, which must be initialised and empty. */
enum cuv_ruff_known cuv_ruff_cache_get(struct cuv_ruff_cache *c, const struct cuv_ruff_key *key,
				       struct cuv_ruff_report *ret);
/* Copies the report; NULL: too much for a server. What is larger than a
 * sixteenth of the cache is not kept. */
void cuv_ruff_cache_put(struct cuv_ruff_cache *c, const struct cuv_ruff_key *key, const struct cuv_ruff_report *report);

#endif
