/* SPDX-License-Identifier: MIT */
/*
 * The ledger: which environments the store has, how large they are, when they were
 * used last. A SQLite file (nix/cuvette.db) that only helps: what is true are the
 * links (state.h), and a ledger that is lost or damaged is made again from them,
 * without the times. Nothing in it is waited for by a request: the server writes
 * what it noted from time to time (uses.h), chores do the rest.
 *
 * Several processes may have it open; SQLite's locks are waited for LEDGER_BUSY_MS at
 * most. Never across a fork: open, use, close.
 */
#ifndef CUV_BUILDER_LEDGER_H
#define CUV_BUILDER_LEDGER_H

#include "nixenv/builder/index.h"

struct cuv_ledger;

/* NULL with *ret_error -errno when it can't be had even anew. */
struct cuv_ledger *cuv_ledger_open(const struct cuv_builder *b, int *ret_error);
/* The same for who must not wait, now or in any call: -EBUSY while another writes, and
 * -EUCLEAN where it would have to be made again, which is left to who can wait. */
struct cuv_ledger *cuv_ledger_open_at_once(const struct cuv_builder *b, int *ret_error);
void cuv_ledger_close(struct cuv_ledger **l);
#define _cleanup_ledger_ _cleanup_(cuv_ledger_close)

/* Each call below is one step in the file; between begin and commit they are one
 * together. All return 0 or -errno (-EIO: SQLite's own reasons, which are logged). */
int cuv_ledger_begin(struct cuv_ledger *l);
int cuv_ledger_commit(struct cuv_ledger *l);

/* It was used so many times more, last at this time. */
int cuv_ledger_used(struct cuv_ledger *l, const char *env, int64_t when_s, uint64_t uses);
/* A request came to it. */
int cuv_ledger_key(struct cuv_ledger *l, const struct cuv_key *key, const char *env);

/* Makes it say what the links say: environments and requests that it does not know
 * are read in, others forgotten; sizes are taken from Nix. */
int cuv_ledger_reconcile(struct cuv_ledger *l);
/* Reads in one environment, by its manifest. 1: there is none. */
int cuv_ledger_learn(struct cuv_ledger *l, const char *env);
/* Forgets one. */
int cuv_ledger_forget(struct cuv_ledger *l, const char *env);

struct cuv_ledger_totals {
	uint64_t environments;
	uint64_t live_bytes;  /* of the paths of all environments, each once */
	uint64_t store_bytes; /* of all that Nix has but for the image and the tools */
};
int cuv_ledger_totals(struct cuv_ledger *l, struct cuv_ledger_totals *ret);
/* The same without store_bytes, which stays: a question of our own tables only. */
int cuv_ledger_live(struct cuv_ledger *l, struct cuv_ledger_totals *ret);

struct cuv_ledger_row {
	char env[CUV_STORE_NAME_SIZE];
	char lock[CUV_SHA256_HEX_SIZE]; /* its lock's digest, without "sha256:" */
	uint64_t packages;
	uint64_t bytes;	     /* of its closure */
	uint64_t free_bytes; /* of these, what nobody else has */
	int64_t made_s;
	int64_t used_s;
	uint64_t uses;
};
/* Calls each for every environment, the latest used first, until that returns other
 * than 0, which it returns. each changes nothing in the ledger. */
int cuv_ledger_each(struct cuv_ledger *l, int (*each)(void *arg, const struct cuv_ledger_row *row), void *arg);
/* At most limit names, the one that was not used for longest first, after skipping some. */
int cuv_ledger_oldest(struct cuv_ledger *l, size_t skip, size_t limit, struct cuv_strv *ret);
/* One; 1 when it is not in it. */
int cuv_ledger_find(struct cuv_ledger *l, const char *env, struct cuv_ledger_row *ret);
/* The requests that came to it, as hexadecimal keys. */
int cuv_ledger_keys(struct cuv_ledger *l, const char *env, struct cuv_strv *ret);
/* The path, and all that Nix knows to refer to it; empty when Nix does not know it. */
int cuv_ledger_referrers(struct cuv_ledger *l, const char *path, struct cuv_strv *ret);
/* The paths of all environments, each once. */
int cuv_ledger_paths(struct cuv_ledger *l, struct cuv_strv *ret);
/* How many have this lock. */
int cuv_ledger_count_lock(struct cuv_ledger *l, const char *lock, uint64_t *ret);

#endif
