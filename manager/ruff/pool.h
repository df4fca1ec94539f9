/* SPDX-License-Identifier: MIT */
/*
 * A few kept ruffs (ruff/server.h) and what they said (ruff/cache.h), for all
 * requests. A ruff that is started costs fifteen milliseconds for each request
 * twice, a kept one less than one.
 *
 * A thread for each server, made before the manager is sealed; it starts the
 * server, replaces it when it is lost, old or worn, and takes documents from one
 * queue. Whoever asks gets a ticket with a descriptor to poll. Nothing here can
 * fail a request: what the servers don't answer goes to a ruff in a box of its
 * own, as if there were no servers.
 */
#ifndef CUV_RUFF_POOL_H
#define CUV_RUFF_POOL_H

#include "manager/ruff/cache.h"
#include "manager/ruff/server.h"

#define CUV_RUFF_SERVERS_MAX 2
#define CUV_RUFF_CACHE_BYTES (16u << 20)

struct cuv_ruff_ticket;

struct cuv_ruff_pool {
	struct cuv_ruff_cache cache;
	const struct cuv_peers *peers; /* borrowed; set by open */
	struct cuv_tools tools;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned threads; /* that were made */
	unsigned ready;	  /* servers that can be given a document */
	bool open;
	bool stop;
	struct cuv_ruff_ticket *first, *last; /* the queue */
	struct cuv_ruff_worker {
		struct cuv_ruff_pool *pool;
		unsigned number;
		pthread_t thread;
		struct cuv_ruff_server server; /* the thread's own */
	} worker[CUV_RUFF_SERVERS_MAX];
};

/* Makes the threads, which wait for open; none for servers 0, when only the cache
 * is left. 0 or -errno. */
int cuv_ruff_pool_start(struct cuv_ruff_pool *p, unsigned servers);
/* The servers may be started; peers is borrowed until stop. */
void cuv_ruff_pool_open(struct cuv_ruff_pool *p, const struct cuv_peers *peers, const struct cuv_tools *tools);
/* Ends threads and servers (for tests; the manager just ends). */
void cuv_ruff_pool_stop(struct cuv_ruff_pool *p);

/* Queues the code (copied); what is said of it goes into the cache too, by the
 * key. NULL: it is to have a box of its own. */
struct cuv_ruff_ticket *cuv_ruff_pool_ask(struct cuv_ruff_pool *p, const struct cuv_ruff_key *key, const char *code,
					  size_t len);
/* To poll: readable when there is an answer, or none to come. */
int cuv_ruff_ticket_fd(const struct cuv_ruff_ticket *t);
/* Ends the ticket (NULL is none). True when there was an answer, which is moved to *ret
 * (initialised and empty; NULL: nobody wants it any more). */
bool cuv_ruff_ticket_end(struct cuv_ruff_pool *p, struct cuv_ruff_ticket *t, struct cuv_ruff_report *ret);

#endif
