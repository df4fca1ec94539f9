/* SPDX-License-Identifier: MIT */
/*
 * Who uses what: one lease (lib/base/lease.h) for each environment that sessions of
 * this builder have, and notes of when, which go to the ledger from time to time. A
 * known environment costs a request its lock file's open and nothing of the ledger's.
 */
#ifndef CUV_BUILDER_USES_H
#define CUV_BUILDER_USES_H

#include "nixenv/builder/index.h"

#define CUV_USES_FLUSH_MS 10000
#define CUV_USES_NOTES_MAX 4096 /* environments noted between two flushes; more are not */

struct cuv_uses;
struct cuv_use; /* an environment with at least one user */

struct cuv_uses *cuv_uses_new(const struct cuv_builder *b);
/* Flushes, waiting for the ledger, and gives up all leases. */
struct cuv_uses *cuv_uses_free(struct cuv_uses *u);

/* One more user of an environment that is there, to be released. NULL when it is not,
 * or is being removed at this moment. */
struct cuv_use *cuv_uses_take(struct cuv_uses *u, const char *store_name);
void cuv_uses_release(struct cuv_uses *u, struct cuv_use *use);

/* When to flush, or CUV_NEVER. */
uint64_t cuv_uses_due_ns(const struct cuv_uses *u);
/* Never waits: what the ledger has no time for is kept for the next time. */
void cuv_uses_flush(struct cuv_uses *u);

#endif
