/* SPDX-License-Identifier: MIT */
/*
 * Runs that were accepted to be answered later, in the service's database: the request
 * until there is an answer, then the answer until it expires. What is here outlives the
 * process: a run that waits is found again, and one that had begun is known to have been
 * interrupted. For queue_local.c and results_local.c, whom nobody else goes past. A run that has ended has ended: its
 * state does not change again.
 */
#ifndef CUV_RUNS_STORE_H
#define CUV_RUNS_STORE_H

#include "lib/base/buf.h"
#include "lib/base/strv.h"
#include "manager/budget.h"
#include "manager/runs/row.h"
#include "manager/store.h"

/* All: 0, or negative with err set (UNAVAILABLE, NO_SPACE). */

/* A new one that waits, with its request of len bytes; NULL: that is a file. */
int cuv_runs_store_add(struct cuv_store *s, const struct cuv_runs_row *row, const char *request, size_t len,
		       struct cuv_error *err);
/* It begins: appends its request, which is charged for. 1: that is a file. -ENOENT when there is none that
 * waits. */
int cuv_runs_store_begin(struct cuv_store *s, const char *id, struct cuv_charge *charge, struct cuv_buf *request,
			 struct cuv_error *err);
/* Whether it has not ended. -ENOENT when it has, or there is none. */
int cuv_runs_store_may_end(struct cuv_store *s, const char *id, struct cuv_error *err);
/* It has ended, with this answer; NULL: with one that is a file, of len bytes. -ENOENT when
 * it had before. */
int cuv_runs_store_end(struct cuv_store *s, const char *id, enum cuv_runs_state state, int64_t now_s,
		       const char *answer, size_t len, struct cuv_error *err);
/* One of this client's; appends its answer, which is charged for, when it has ended and
 * answer is not NULL. 1: the answer is a file. -ENOENT with NOT_FOUND set: it is not theirs, or
 * there is none. */
int cuv_runs_store_get(struct cuv_store *s, const char *id, const char *tenant, struct cuv_runs_row *ret,
		       struct cuv_charge *charge, struct cuv_buf *answer, struct cuv_error *err);

/* The latest one that this client calls so. -ENOENT with NOT_FOUND set when there is none. */
int cuv_runs_store_find(struct cuv_store *s, const char *tenant, const char *task, char ret_id[CUV_ID_HEX_SIZE],
			struct cuv_error *err);
/* One that waits ends as cancelled. -ENOENT when there is none that does. */
int cuv_runs_store_cancel(struct cuv_store *s, const char *id, int64_t now_s, struct cuv_error *err);
/* Forgets the files (files.h) in this folder, as "runs/", that no run has for its answer; or for
 * the request with which it waits. */
int cuv_runs_store_clean_answers(struct cuv_store *s, const char *folder, struct cuv_error *err);
int cuv_runs_store_clean_requests(struct cuv_store *s, const char *folder, struct cuv_error *err);
/* Adds the ids of those whose answer is a file that are beyond the bounds of expire(). */
int cuv_runs_store_old_files(struct cuv_store *s, int64_t before_s, uint64_t max_bytes, uint64_t max_n,
			     struct cuv_strv *ret, struct cuv_error *err);
/* Those that have begun and not ended end as failed with this answer. */
int cuv_runs_store_interrupt(struct cuv_store *s, int64_t now_s, const char *answer, struct cuv_error *err);
/* Calls each with every one that waits, the oldest first. */
int cuv_runs_store_each_queued(struct cuv_store *s,
			       void (*each)(void *arg, const struct cuv_runs_row *row, size_t bytes), void *arg,
			       struct cuv_error *err);
/* results.h */
int cuv_runs_store_list(struct cuv_store *s, const char *tenant, unsigned states, int64_t since_s, const char *after,
			uint32_t max, void (*each)(void *arg, const struct cuv_runs_row *row), void *arg,
			struct cuv_error *err);
/* Forgets those that ended before this, and the oldest others until the answers take at
 * most max_bytes and are at most max_n; but none whose answer is a file. */
int cuv_runs_store_expire(struct cuv_store *s, int64_t before_s, uint64_t max_bytes, uint64_t max_n,
			  struct cuv_error *err);
/* One of those, when its file is gone. */
int cuv_runs_store_forget(struct cuv_store *s, const char *id, struct cuv_error *err);

#endif
