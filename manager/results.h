/* SPDX-License-Identifier: MIT */
/*
 * What became of the runs that a queue (queue.h) has taken, as a struct of functions: whose
 * they are, how it is with them, and their answers until they expire. In the service's own
 * database: results_local.c; chosen at start together with the queue (backends.h), which
 * makes the runs that are found here.
 *
 * What it promises: a run ends once. Its first end stays, whoever comes later and whatever
 * dies, until it expires; what get() has told of a run that has ended does not change.
 *
 * Threads and errors: as the queue's. All may take as long as a database does.
 */
#ifndef CUV_RESULTS_H
#define CUV_RESULTS_H

#include "lib/base/buf.h"
#include "manager/budget.h"
#include "manager/runs/row.h"

struct cuv_results {
	/* It has ended, with this answer. -ENOENT when it had before, or there is none. */
	int (*end)(struct cuv_results *r, const char *id, enum cuv_runs_state state, int64_t now_s, const char *answer,
		   size_t len, struct cuv_error *err);
	/* One of this client's; appends its answer, which is charged for, when it has ended and
	 * answer is not NULL. -ENOENT with NOT_FOUND set: it is not theirs, or there is none. */
	int (*get)(struct cuv_results *r, const char *id, const char *tenant, struct cuv_runs_row *ret,
		   struct cuv_charge *charge, struct cuv_buf *answer, struct cuv_error *err);
	/* Calls each with those of this client whose state is among these bits (1 << state, where
	 * one that is under way has any of its states), that have not ended before since_s: the
	 * latest accepted first, from the one behind `after` on (an id; NULL: the first), max of
	 * them; none of sessions. 1: there are more, 0: these were all; -ENOENT with NOT_FOUND set: `after` is not
	 * theirs, or there is none any more. each must not call us. */
	int (*list)(struct cuv_results *r, const char *tenant, unsigned states, int64_t since_s, const char *after,
		    uint32_t max, void (*each)(void *arg, const struct cuv_runs_row *row), void *arg,
		    struct cuv_error *err);
	/* The latest one that this client calls so (cuv_runs_row.task). -ENOENT as above. */
	int (*find)(struct cuv_results *r, const char *tenant, const char *task, char ret_id[CUV_ID_HEX_SIZE],
		    struct cuv_error *err);
	/* Before anything else: those that had begun in a process of before and have not ended
	 * end as failed, with this answer. */
	int (*interrupt)(struct cuv_results *r, int64_t now_s, const char *answer, struct cuv_error *err);
	/* Forgets those that ended before this, and others until the answers take at most max_bytes and
	 * are at most max_n: the oldest of the client that has the most, so that nobody loses any who has
	 * less than an equal part. */
	int (*expire)(struct cuv_results *r, int64_t before_s, uint64_t max_bytes, uint64_t max_n,
		      struct cuv_error *err);
	void (*close)(struct cuv_results *r);
};

#endif
