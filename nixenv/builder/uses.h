/* SPDX-License-Identifier: MIT */
/*
 * Who uses what: a lease (lib/base/lease.h) for each use, which goes to who asked, and
 * notes of when, which go to the ledger from time to time. A known environment costs a
 * request its lock file's open and nothing of the ledger's.
 */
#ifndef CUV_BUILDER_USES_H
#define CUV_BUILDER_USES_H

#include "nixenv/builder/index.h"

#define CUV_USES_FLUSH_MS 10000
#define CUV_USES_NOTES_MAX 4096 /* environments noted between two flushes; more are not */

struct cuv_uses;

struct cuv_uses *cuv_uses_new(const struct cuv_builder *b);
/* Flushes, waiting for the ledger. */
struct cuv_uses *cuv_uses_free(struct cuv_uses *u);

/* One more use of an environment that is there: its lease, the caller's. -1 when it is not,
 * or is being removed at this moment. */
int cuv_uses_take(struct cuv_uses *u, const char *store_name);
/* So many uses of it under leases that were taken before; one that there is no room to note
 * only orders who goes first, and what is not there by the time of writing is forgotten. */
void cuv_uses_note(struct cuv_uses *u, const char *store_name, uint32_t count);

/* When to flush, or CUV_NEVER. */
uint64_t cuv_uses_due_ns(const struct cuv_uses *u);
/* Never waits: what the ledger has no time for is kept for the next time. */
void cuv_uses_flush(struct cuv_uses *u);

#endif
