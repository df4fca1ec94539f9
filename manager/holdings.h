/* SPDX-License-Identifier: MIT */
/*
 * Which environments each client has asked for, by a run or a build, and how often: what
 * GET /api/v1/environments shows, and to whom. It is kept in the store by owner (a
 * client's tenant) and digest; an owner's longest unused ones go where there are too many.
 *
 * What is new is written at once. What is asked for again is noted in memory, and written
 * after CUV_HOLDINGS_FLUSH_MS by whoever notes next, before anything is read, and at the
 * end: a manager that is killed loses some hits, never an environment.
 */
#ifndef CUV_HOLDINGS_H
#define CUV_HOLDINGS_H

#include "lib/proto/messages.h"
#include "manager/store.h"

#include <pthread.h>

#define CUV_HOLDINGS_FLUSH_MS 10000
#define CUV_HOLDINGS_OWNED_MAX 1000  /* of one owner */
#define CUV_HOLDINGS_ALL_MAX 100000  /* of all */
#define CUV_HOLDINGS_LISTED_MAX 1000 /* that each() is called with at most */

struct cuv_holding_note;
struct cuv_holdings {
	struct cuv_store *store; /* borrowed; NULL: nothing is kept */
	pthread_mutex_t lock;
	struct cuv_holding_note *notes; /* of those that are in the store */
	uint64_t flushed_ns;
	bool dirty;
};

struct cuv_holding {
	char digest[CUV_ENV_DIGEST_SIZE];
	char lock_digest[CUV_STORE_NAME_SIZE];
	char python[16];
	uint32_t packages;
	int64_t first_s; /* asked for the first time, and the last */
	int64_t used_s;
	uint64_t hits;	 /* how often it was there when it was asked for */
	uint32_t owners; /* that this stands for: 1, or more of those of all */
};

void cuv_holdings_init(struct cuv_holdings *h, struct cuv_store *store);
/* Writes what is noted. */
void cuv_holdings_flush(struct cuv_holdings *h);
void cuv_holdings_done(struct cuv_holdings *h);

/* The owner was answered with this environment. What can't be written is logged. */
void cuv_holdings_note(struct cuv_holdings *h, const char *owner, const struct cuv_environment *e, int64_t now_s);

/* Calls each for the owner's, or with NULL for everybody's (each digest once), the latest
 * used first, until it returns something other than 0. 0, what each returned, or negative with err set
 * (UNAVAILABLE). each must not call us. */
int cuv_holdings_each(struct cuv_holdings *h, const char *owner,
		      int (*each)(void *arg, const struct cuv_holding *found), void *arg, struct cuv_error *err);
/* One of the owner's, or with NULL of anybody's. 0; negative with err set
 * (ENVIRONMENT_UNKNOWN: they have never asked for it; UNAVAILABLE). */
int cuv_holdings_find(struct cuv_holdings *h, const char *owner, const char *digest, struct cuv_holding *ret,
		      struct cuv_error *err);
/* The owner does not hold it any more. As find. */
int cuv_holdings_forget(struct cuv_holdings *h, const char *owner, const char *digest, struct cuv_error *err);

#endif
