/* SPDX-License-Identifier: MIT */
/*
 * Flights: environments in the making, one per key, with all the sessions that
 * wait for it. CUV_FLIGHTS_RUNNING_MAX have a worker, most of which wait for
 * something (place.h says how many do not); CUV_FLIGHTS_WAITING_MAX more stand in line;
 * a flight that nobody waits for any more is ended, and so is one that should have
 * ended by itself.
 */
#ifndef CUV_BUILDER_FLIGHT_H
#define CUV_BUILDER_FLIGHT_H

#include "nixenv/builder/worker.h"

#define CUV_FLIGHTS_RUNNING_MAX 16
#define CUV_FLIGHTS_WAITING_MAX 64
#define CUV_FLIGHTS_MAX (CUV_FLIGHTS_RUNNING_MAX + CUV_FLIGHTS_WAITING_MAX)

struct cuv_flights;

struct cuv_flight {
	bool used;
	struct cuv_flights *all; /* where it is one of n */
	uint64_t number;	 /* in the order they came */
	struct cuv_key key;
	struct cuv_env_ask ask;
	char *canonical; /* owned */
	size_t canonical_len;
	size_t n_sessions;
	struct cuv_worker worker; /* pid 0 while it waits */
	uint64_t overdue_ns;	  /* when its worker is given up */
	bool has_progress;
	struct cuv_env_progress progress; /* the last one, for who joins later */
};

struct cuv_flights {
	struct cuv_flight items[CUV_FLIGHTS_MAX];
	size_t n; /* in use: mostly none is */
	uint64_t numbers;
};

/* NULL when there is none. */
struct cuv_flight *cuv_flights_find(struct cuv_flights *f, const struct cuv_key *key);
/* A new one in line, without sessions; takes *canonical over. NULL when the line
 * is full (then *canonical stays the caller's). */
struct cuv_flight *cuv_flights_take_new(struct cuv_flights *f, const struct cuv_key *key, const struct cuv_env_ask *ask,
					char **canonical, size_t len);
/* Starts workers for those first in line while there is room. What can't be
 * started is returned, to be failed and ended by the caller; NULL when all is well. */
struct cuv_flight *cuv_flights_start(struct cuv_flights *f, const struct cuv_builder *b, int *ret_error);
/* Ends it, with its worker. */
void cuv_flight_end(struct cuv_flight *f);

#endif
