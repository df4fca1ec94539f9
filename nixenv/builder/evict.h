/* SPDX-License-Identifier: MIT */
/*
 * Room in the store: what may be kept, which environment goes next, and Nix's
 * collection of what nobody needs.
 *
 * An environment goes when it is the one that was not used for longest, is not
 * pinned, and nobody has a lease on it (lib/base/lease.h): its links go, and with them
 * the reason for Nix to keep it and what only it needs. Wheels are needed only until
 * they are installed, so each collection takes them too. Locks that were only asked for
 * (locks.h) go after a time, or at once where room is needed, with what was built for them.
 *
 * The store's lock (nix/gc.lock) keeps collections away from what is being made:
 * makers share it, a collection has it alone. Here it is waited for, with a deadline;
 * makers wait for a collection, which has one. Whoever waits for it alone holds the
 * turnstile (nix/gc.turn) meanwhile, through which all makers go: those who came before
 * end, and none comes between, however many there are.
 */
#ifndef CUV_BUILDER_EVICT_H
#define CUV_BUILDER_EVICT_H

#include "nixenv/builder/builder.h"
#include "nixenv/builder/ledger.h"

/* The store, for making something in it; not within one's own making. A descriptor to close afterwards, or -errno. */
int cuv_store_share(const struct cuv_builder *b);
/* The store, alone: nothing is being made in it meanwhile. -EBUSY after half a minute. */
int cuv_store_alone(const struct cuv_builder *b);

struct cuv_eviction {
	uint64_t evicted; /* environments */
	uint64_t leased;  /* would have gone, but are in use */
	uint64_t pinned;  /* the same, but are pinned */
	uint64_t locks;	  /* records of locks that had no environment */
	uint64_t freed;	  /* bytes, as Nix counts them */
	bool collected;	  /* Nix has looked for what nobody needs */
	bool busy;	  /* it could not: something is being made */
};

/* Evicts what passes the budget (none: every one) and collects if something went, if
 * what nobody needs passes the budget, or if always. tmp is a folder for Nix. What only
 * a zygote has a lease on is waited for a moment. 0, or -EINVAL with err. */
struct cuv_evict_how {
	struct cuv_budget budget;
	bool none;
	bool always;
	const char *tmp;
	int cancel_fd;
};
int cuv_evict(const struct cuv_builder *b, struct cuv_ledger *l, const struct cuv_evict_how *how,
	      struct cuv_eviction *ret, struct cuv_error *err);

/* Makes room when the disk is full: one collection. Environments stay: who has filled
 * the disk may be somebody else. */
int cuv_evict_for_space(const struct cuv_builder *b, const char *tmp, int cancel_fd, struct cuv_eviction *ret,
			struct cuv_error *err);

/* One, whatever the budget; ret_freed are the bytes that only it had. 0; -EBUSY it is in use (its holders have been
 * asked to let go if they can); -errno. */
int cuv_evict_one(const struct cuv_builder *b, struct cuv_ledger *l, const char *env, uint64_t *ret_freed);

#endif
