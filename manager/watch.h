/* SPDX-License-Identifier: MIT */
/*
 * Cuts off clients that are too slow. A thread of its own looks at the sockets
 * of all requests and shuts one down when its deadline has passed; whoever is
 * blocked in reading from it or writing to it then sees the end of it. This
 * bounds every wait inside civetweb, whose own timeouts start anew with each
 * byte.
 *
 * A socket is entered by the thread that handles its request and leaves before
 * that thread lets go of it, so no descriptor is shut down after its reuse.
 */
#ifndef CUV_WATCH_H
#define CUV_WATCH_H

#include "lib/base/base.h"

#include <pthread.h>

struct cuv_watch_slot {
	int fd; /* borrowed; -1: free */
	uint64_t deadline_ns;
	int how;  /* SHUT_RD or SHUT_RDWR: what happens at the deadline */
	bool cut; /* it has happened */
};

struct cuv_watch {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct cuv_watch_slot *slots; /* owned */
	size_t n;
	size_t busy;
	bool parked; /* nothing to watch: the thread waits without a timeout */
	bool stop;
};

/* Starts the thread; n is the most sockets at once. 0 or -errno. */
int cuv_watch_start(struct cuv_watch *w, size_t n);
/* Ends and joins it. */
void cuv_watch_stop(struct cuv_watch *w);

/* Returns the slot; there is always one when n covers all handler threads. */
size_t cuv_watch_enter(struct cuv_watch *w, int fd);
/* A new deadline. SHUT_RD ends reading only, so that an answer can still be
 * written; SHUT_RDWR ends the connection. */
void cuv_watch_set(struct cuv_watch *w, size_t slot, uint64_t deadline_ns, int how);
/* Whether the last deadline has passed. */
bool cuv_watch_was_cut(struct cuv_watch *w, size_t slot);
void cuv_watch_leave(struct cuv_watch *w, size_t slot);
/* Cuts off all that are there now. */
void cuv_watch_cut_all(struct cuv_watch *w);

#endif
