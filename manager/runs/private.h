/* SPDX-License-Identifier: MIT */
/* What the files of runs.h share. */
#ifndef CUV_RUNS_PRIVATE_H
#define CUV_RUNS_PRIVATE_H

#include "manager/runs/events.h"
#include "manager/runs/runs.h"

#include <pthread.h>
/* Out of memory is told, not died of. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* By then what ends now has expired, and it has been looked for. */
#define CUV_RUNS_TIDY_NS ((CUV_RUNS_KEEP_S + 60ull) * 1000000000ull)

/* A thread that carries runs out. */
struct cuv_runs_worker {
	struct cuv_runs *runs;
	pthread_t thread;
	int cancel[2]; /* a byte in it cancels the run under way */
};

/* A run that this process knows: all that have not ended, and those that ended lately, for
 * their events. */
struct cuv_runs_entry {
	UT_hash_handle hh;
	struct cuv_runs_entry *next; /* among those that have ended */
	struct cuv_runs_row row;
	size_t bytes; /* of its request */
	struct cuv_env_progress progress;
	bool has_progress;
	uint64_t progress_ns; /* when it was an event last */
	uint64_t known_ns;    /* since when it waits, here */
	struct cuv_run_events events;
	size_t counted;			/* of the events, in events_bytes */
	struct cuv_runs_worker *worker; /* while it is under way */
	char *lost;			/* owned; an error that could not be stored yet: not forgotten before */
	unsigned refs;			/* who looks at it outside of the lock */
	bool forgotten;			/* not in the table any more */
	pthread_cond_t moved;
};

struct cuv_runs {
	struct cuv_server *server; /* borrowed */
	struct cuv_backends in;	   /* where runs are kept; borrowed; empty: nowhere */
	uint32_t epoch;		   /* which process numbered the events */
	struct cuv_runs_worker *workers;
	pthread_mutex_t lock; /* of all below; the clients' may be taken under it, and what answers from memory asked */
	pthread_cond_t work;
	struct cuv_runs_entry *by_id;
	struct cuv_runs_entry *first_ended, *last_ended;
	unsigned running;
	struct cuv_runs_stream *streams; /* who follows runs (runs/stream.c) */
	unsigned picking;		 /* who asks the queue for the next one */
	uint64_t arrived;		 /* runs that were put in the queue */
	size_t events_bytes, events_max;
	bool open, draining;
	uint64_t tidied_ns;
	bool sessions;		     /* there may be some */
	uint64_t expired_ns;	     /* when it was looked for those that have */
	uint64_t tidy_until_ns;	     /* until then something may expire */
	size_t ended_bytes, ended_n; /* since then */
};

/* --- all with the lock held --- */

/* NULL when there is none of this client's. */
struct cuv_runs_entry *cuv_runs_find(struct cuv_runs *a, const struct cuv_client *c, const char *id);
/* Room may have changed with the events: forgets ended runs for it, and tells who waits. */
void cuv_runs_moved(struct cuv_runs *a, struct cuv_runs_entry *e);
void cuv_runs_count(struct cuv_runs *a, struct cuv_runs_entry *e);
void cuv_runs_set_state(struct cuv_runs *a, struct cuv_runs_entry *e, enum cuv_runs_state state);
/* It ended: its last event (data is taken over), and a place among those that ended. Nothing
 * when it had before. */
void cuv_runs_set_ended(struct cuv_runs *a, struct cuv_runs_entry *e, enum cuv_runs_state state, json_t *data);
/* Forgets those whose time is over. */
void cuv_runs_forget_old(struct cuv_runs *a, int64_t now_s);
void cuv_runs_ref(struct cuv_runs_entry *e);
void cuv_runs_unref(struct cuv_runs_entry *e);
/* pthread's, until cuv_now_ns() is deadline_ns. */
void cuv_runs_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns);
int cuv_runs_cond_init(pthread_cond_t *cond);

/* In its client's line, from 1; 0: it does not wait. */
uint32_t cuv_runs_position(const struct cuv_runs *a, const struct cuv_runs_entry *e);

/* --- without it --- */

/* The body of a worker (runs/worker.c). */
void *cuv_runs_worker_main(void *arg);
/* {"code": …} of an error, as text; NULL without memory. */
char *cuv_runs_error_text(const struct cuv_error *err);

#endif
