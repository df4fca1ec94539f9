/* SPDX-License-Identifier: MIT */
/*
 * The locks that the builder keeps, by their digest: locks/<hex>.json is the
 * complete form with addresses and sizes, locks/<hex>.pylock.toml its text for users
 * (nixenv/pylock_write.h), which answers hand out.
 */
#ifndef CUV_BUILDER_LOCKS_H
#define CUV_BUILDER_LOCKS_H

#include "nixenv/builder/builder.h"
#include "nixenv/builder/ledger.h"
#include "nixenv/lock.h"

/* Writes both, and keeps the wheels in it that were built here from being collected for
 * as long as they are there: not each could be built again to the same bytes. With
 * replace false, one that is there stays as it is: what a user says of where wheels are
 * must not take the place of what an index said; it was asked for now, all the same. 0 or -errno. */
int cuv_locks_keep(const struct cuv_builder *b, const struct cuv_lock *l, bool replace);
/* Records that no environment has, as `env lock` leaves them, go when nobody has asked for
 * them for so long (seconds); wheels that were built for them then go with the next
 * collection. Nothing may be forgotten sooner than CUV_LOCKS_KEEP_MIN_S after it was
 * written: its environment may be in the making, its answer under way. How many; -errno. */
#define CUV_LOCKS_KEEP_S (30 * 86400)
#define CUV_LOCKS_KEEP_MIN_S 600 /* where room is needed */
int cuv_locks_forget(const struct cuv_builder *b, struct cuv_ledger *l, int64_t keep_s);
/* Before a collection: wheels whose lock is gone are kept no longer. */
void cuv_locks_let_go(const struct cuv_builder *b);
/* The complete form back; -errno, -ENOENT when it was never kept, -EBADMSG. */
int cuv_locks_load(const struct cuv_builder *b, const char *lock_digest, struct cuv_lock *ret);
/* A descriptor of the text of an environment's lock, read only, the caller's.
 * One that was not kept is written anew, at worst from the environment's own
 * manifest, which has no addresses. -errno. */
int cuv_locks_open(const struct cuv_builder *b, const struct cuv_environment *e);
/* Takes the indexes' addresses out of a lock that is sent somewhere: a builder finds
 * them anew. */
void cuv_locks_strip(struct cuv_lock *lock);

#endif
