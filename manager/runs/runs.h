/* SPDX-License-Identifier: MIT */
/*
 * Runs that are accepted now and answered later (`mode=async`): a bounded queue with a few
 * threads of its own, fair between clients, and what became of each run, for a while.
 *
 * A client has a line of its own, and the lines take turns, so that many runs of one
 * don't hold up the one of another. Rate and quota count when a run is accepted, its
 * client's place (how many at once) when it begins; until there is one its line is passed over.
 *
 * Requests and answers are kept by a queue and by results (backends.h) and outlive the process;
 * events (runs/events.h) are in memory and don't. Safe from all threads.
 */
#ifndef CUV_RUNS_H
#define CUV_RUNS_H

#include "manager/backends.h"
#include "manager/form.h"
#include "manager/runs/row.h"
#include "manager/server.h"

/* Answers are kept so long, and when they are more than this the oldest of who has the most go earlier. */
#define CUV_RUNS_KEEP_S 600
#define CUV_RUNS_KEPT_MAX 10000u
#define CUV_RUNS_KEPT_BYTES_MAX (256u << 20)
/* Requests that wait: bytes of one client's, and of all. As many of all clients as of
 * one (settings.h) times CUV_RUNS_LINES. */
#define CUV_RUNS_LINE_BYTES_MAX (128u << 20)
#define CUV_RUNS_QUEUE_BYTES_MAX (256u << 20)
#define CUV_RUNS_LINES 4
/* From arrival to beginning. */
#define CUV_RUNS_WAIT_S 3600

/* Where clients find a run, followed by its id. */
#define CUV_RUNS_PATH "/api/v1/runs/"
/* The same for who may build environments but not run in them. */
#define CUV_BUILDS_PATH "/api/v1/environments/builds/"

struct cuv_runs;

/* Finds what another process has left, and makes the threads. What is in `in` is borrowed; empty:
 * nothing is accepted. *ret lives as long as the process. 0, or negative with err set. */
int cuv_runs_start(struct cuv_server *s, const struct cuv_backends *in, struct cuv_runs **ret, struct cuv_error *err);
/* From here on runs begin, and from here on no more; what waits then is for the next process. */
void cuv_runs_open(struct cuv_runs *a);
void cuv_runs_drain(struct cuv_runs *a);
/* Runs under way; those that wait. */
unsigned cuv_runs_active(struct cuv_runs *a);
unsigned cuv_runs_waiting(struct cuv_runs *a);

/* A request that has been checked, as it is to be kept. All borrowed. */
struct cuv_runs_request {
	enum cuv_runs_kind kind;
	int64_t session;  /* as in struct cuv_runs_row */
	const char *task; /* what its client calls it; NULL: by its id */
	const struct cuv_buf *body;
};
/* Of runs of one session, as many may wait. */
#define CUV_RUNS_SESSION_MAX 64

/* Accepts it under this id, a new one (cuv_random_id). 0, or negative with err set
 * (OVERLOADED, UNAVAILABLE, NO_SPACE). */
int cuv_runs_accept(struct cuv_runs *a, const struct cuv_client *c, const char *request_id, const char *id,
		    const struct cuv_runs_request *request, struct cuv_error *err);
/* The same of a form that has been checked, which gets an id. */
int cuv_runs_submit(struct cuv_runs *a, const struct cuv_client *c, const char *request_id, const struct cuv_form *form,
		    char ret_id[CUV_ID_HEX_SIZE], struct cuv_error *err);

/* How it is with a run. */
struct cuv_runs_view {
	struct cuv_runs_row row;
	uint32_t position; /* in its client's line, from 1; 0: it does not wait */
	bool has_progress;
	struct cuv_env_progress progress;
};

/* One of this client's; appends the answer, which is charged for, when it has ended; answer
 * may be NULL. 0, or negative with err set (NOT_FOUND also for the runs of others). */
int cuv_runs_get(struct cuv_runs *a, const struct cuv_client *c, const char *id, struct cuv_runs_view *ret,
		 struct cuv_charge *charge, struct cuv_buf *answer, struct cuv_error *err);
/* Runs of this client, the latest accepted first, at most CUV_RUNS_LISTED_MAX. */
#define CUV_RUNS_LISTED_MAX 200u
struct cuv_runs_wanted {
	unsigned states;   /* bits: 1 << state */
	const char *after; /* an id: go on behind it; NULL: from the first */
	uint32_t max;	   /* at least 1 */
};
struct cuv_runs_list {
	struct cuv_runs_view *views; /* owned */
	size_t n;
	char next[CUV_ID_HEX_SIZE]; /* to go on after; "": there are no more */
};
/* What is listed is charged for. 0, or negative with err set (NOT_FOUND: `after` is none of theirs). */
int cuv_runs_list(struct cuv_runs *a, const struct cuv_client *c, const struct cuv_runs_wanted *wanted,
		  struct cuv_charge *charge, struct cuv_runs_list *ret, struct cuv_error *err);
/* The same of the latest one that the client calls so. */
int cuv_runs_get_task(struct cuv_runs *a, const struct cuv_client *c, const char *task, struct cuv_runs_view *ret,
		      struct cuv_charge *charge, struct cuv_buf *answer, struct cuv_error *err);
/* Cancels it, and waits for its end for a moment; nothing when it has ended. As above. */
int cuv_runs_cancel(struct cuv_runs *a, const struct cuv_client *c, const char *id, struct cuv_error *err);
/* There are sessions: from here on it is looked for those that have expired. */
void cuv_runs_tend_sessions(struct cuv_runs *a);
/* All of a session that have not ended, without waiting for those that are under way. */
void cuv_runs_cancel_session(struct cuv_runs *a, int64_t session);
/* {"phase": …, …}; a new reference. */
json_t *cuv_runs_progress(const struct cuv_env_progress *p);

/* --- following a run's events --- */
struct cuv_runs_stream;

/* last_event_id: to go on after; NULL: from the beginning. 0, or negative with err set (NOT_FOUND;
 * OVERLOADED: too many are being followed). */
int cuv_runs_follow(struct cuv_runs *a, const struct cuv_client *c, const char *id, const char *last_event_id,
		    struct cuv_runs_stream **ret, struct cuv_error *err);
/* Waits for more for a second at most and appends it; out has room for CUV_RUN_EVENTS_ROOM. False:
 * that was the last of it. */
bool cuv_runs_next(struct cuv_runs_stream *f, struct cuv_buf *out);
void cuv_runs_unfollow(struct cuv_runs_stream **f);

#endif
