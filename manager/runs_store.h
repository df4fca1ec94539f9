/* SPDX-License-Identifier: MIT */
/*
 * Runs that were accepted to be answered later, in the service's database: the request
 * until there is an answer, then the answer until it expires. What is here outlives the
 * process: a run that waits is found again, and one that had begun is known to have been
 * interrupted. A run that has ended has ended: its state does not change again.
 */
#ifndef CUV_RUNS_STORE_H
#define CUV_RUNS_STORE_H

#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "manager/budget.h"
#include "manager/keys.h"

/* X(enum suffix, number, "name", "what it means"); the numbers are kept in files. */
#define CUV_RUNS_STATE_TABLE(X)                                                                                        \
	X(QUEUED, 1, "queued", "it waits for its turn")                                                                \
	X(RESOLVING, 2, "resolving", "it has begun: its environment is looked for")                                    \
	X(BUILDING, 3, "building", "its environment is downloaded and made")                                           \
	X(RUNNING, 4, "running", "the program runs")                                                                   \
	X(DONE, 5, "done", "there is a result")                                                                        \
	X(FAILED, 6, "failed", "there is an error")                                                                    \
	X(CANCELLED, 7, "cancelled", "it was cancelled")
enum cuv_runs_state {
#define X(suffix, number, name, text) CUV_RUNS_##suffix = (number),
	CUV_RUNS_STATE_TABLE(X)
#undef X
};
const char *cuv_runs_state_name(enum cuv_runs_state s);
static inline bool cuv_runs_has_ended(enum cuv_runs_state s)
{
	return s >= CUV_RUNS_DONE;
}

/* What is known of a run besides its body; a plain value. */
struct cuv_runs_row {
	char id[CUV_ID_HEX_SIZE];
	char tenant[CUV_KEY_ID_SIZE]; /* whose it is */
	char request_id[CUV_ID_HEX_SIZE];
	enum cuv_runs_state state; /* of those that have begun and not ended, RESOLVING */
	int64_t accepted_s;
	int64_t ended_s; /* 0: it has not */
};

/* All: 0, or negative with err set (UNAVAILABLE, NO_SPACE). */

/* A new one that waits, with its request. */
int cuv_runs_store_add(struct cuv_store *s, const struct cuv_runs_row *row, const struct cuv_buf *request,
		       struct cuv_error *err);
/* It begins: appends its request. -ENOENT when there is none that waits. */
int cuv_runs_store_begin(struct cuv_store *s, const char *id, struct cuv_buf *request, struct cuv_error *err);
/* It has ended, with this answer. -ENOENT when it had before. */
int cuv_runs_store_end(struct cuv_store *s, const char *id, enum cuv_runs_state state, int64_t now_s,
		       const char *answer, size_t len, struct cuv_error *err);
/* One of this client's; appends its answer, which is charged for, when it has ended and
 * answer is not NULL. -ENOENT with NOT_FOUND set: it is not theirs, or there is none. */
int cuv_runs_store_get(struct cuv_store *s, const char *id, const char *tenant, struct cuv_runs_row *ret,
		       struct cuv_charge *charge, struct cuv_buf *answer, struct cuv_error *err);

/* What another process has left: those that had begun end as failed with this answer; then
 * each is called with every one that waits, the oldest first. */
int cuv_runs_store_recover(struct cuv_store *s, int64_t now_s, const char *answer,
			   void (*each)(void *arg, const struct cuv_runs_row *row, size_t bytes), void *arg,
			   struct cuv_error *err);
/* Forgets those that ended before this, and the oldest others until the answers take at
 * most max_bytes and are at most max_n. */
int cuv_runs_store_expire(struct cuv_store *s, int64_t before_s, uint64_t max_bytes, uint64_t max_n,
			  struct cuv_error *err);

#endif
