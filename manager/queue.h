/* SPDX-License-Identifier: MIT */
/*
 * Runs that were accepted and have not begun, as a struct of functions: whoever runs
 * them (runs.h) does not know where they wait. In the service's own database and in one
 * process: queue_local.c; chosen at start (backends.h).
 *
 * What a queue promises: what add() has taken is there until it begins or is cancelled,
 * whatever dies. Of begin() and cancel() exactly one succeeds for each run, once. The
 * lines of clients take turns, so that many runs of one don't hold up the one of another. Of
 * runs of one session (cuv_runs_row.session) one is under way at a time, in their order.
 *
 * Threads: all may be called from any thread. waiting() and position() answer from memory,
 * may be a moment old, and may be called under the caller's locks. The others may take as
 * long as a database or a network does, within a deadline of their own, and are called
 * without locks. Nothing that is passed is kept beyond the call.
 *
 * Errors: 0 or more, or negative with err set (UNAVAILABLE, NO_SPACE, OVERLOADED), but for
 * -ENOENT, which is an answer.
 */
#ifndef CUV_QUEUE_H
#define CUV_QUEUE_H

#include "lib/base/buf.h"
#include "manager/budget.h"
#include "manager/runs/row.h"

struct cuv_queue {
	/* Is there room for so many bytes of this client? OVERLOADED: not now. */
	int (*check_room)(struct cuv_queue *q, const char *tenant, size_t bytes, struct cuv_error *err);
	/* The run waits, at the end of its client's line, with its request. OVERLOADED: the room
	 * that was there has been taken by others. */
	int (*add)(struct cuv_queue *q, const struct cuv_runs_row *row, const struct cuv_buf *request,
		   struct cuv_error *err);
	/* Takes the next one out of its line whose client may begin one, and moves that line
	 * behind the others; runs of a session that is busy are passed over. 1 with its row, 0: there is none.
	 * may_begin may lock, but not what is held while waiting() is called; it is asked for the lines in turn until
	 * it says yes. */
	int (*next)(struct cuv_queue *q, bool (*may_begin)(void *arg, const char *tenant), void *arg,
		    struct cuv_runs_row *ret);
	/* What next() has given of this session has ended, or has not begun: the session is not
	 * busy any more. From memory. */
	void (*release)(struct cuv_queue *q, int64_t session);
	/* One that next() has given begins: appends its request, which is charged for. -ENOENT: it was
	 * cancelled. After another error it is not there to begin again. */
	int (*begin)(struct cuv_queue *q, const char *id, struct cuv_charge *charge, struct cuv_buf *request,
		     struct cuv_error *err);
	/* One that next() has given has ended, and begin() was not called: its request is not needed. */
	void (*forget)(struct cuv_queue *q, const char *id);
	/* One that has not begun ends as cancelled. -ENOENT: it has begun, or ended, or is none. */
	int (*cancel)(struct cuv_queue *q, const char *tenant, const char *id, int64_t now_s, struct cuv_error *err);
	/* In its client's line, from 1; 0: it is in none. */
	uint32_t (*position)(struct cuv_queue *q, const char *tenant, const char *id);
	uint32_t (*waiting)(struct cuv_queue *q);
	/* Before anything else: those that wait from before, the oldest first. Where each returns
	 * false there is no room for the run in this process, and it waits for another. */
	int (*recover)(struct cuv_queue *q, bool (*each)(void *arg, const struct cuv_runs_row *row, size_t bytes),
		       void *arg, struct cuv_error *err);
	void (*close)(struct cuv_queue *q);
};

#endif
