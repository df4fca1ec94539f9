/* SPDX-License-Identifier: MIT */
/*
 * Environments that the builder gave a moment ago, each under its lease: run after run in
 * the same one asks the builder, and wakes it, once in CUV_HELD_MS. After that it is asked
 * again, so what became unknown or another one meanwhile is so here at most that much later.
 *
 * Who wants an environment gone says so in its lease (lib/base/lease.h), which is looked at
 * for each run; and a thread, made before the manager is sealed, lets go of those whose time
 * is over, and tells the builder how often they were used.
 *
 * All tenants share it, as they do the builder's: what is asked for names no tenant.
 */
#ifndef CUV_HELD_H
#define CUV_HELD_H

#include "lib/proto/messages.h"

#include <pthread.h>

#define CUV_HELD_MS 1000
#define CUV_HELD_MAX 32		/* with two descriptors each */
#define CUV_HELD_TEXT_MAX 16384 /* longer requirements are not held */

struct cuv_held_env;
struct cuv_peers;

struct cuv_held {
	const struct cuv_peers *peers; /* borrowed */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct cuv_held_env *items[CUV_HELD_MAX]; /* a reference each */
	size_t n;
	bool stop;
};

/* Makes the thread. peers is borrowed until stop. 0 or -errno. */
int cuv_held_start(struct cuv_held *h, const struct cuv_peers *peers);
/* Ends it and lets go of everything (for tests; the manager just ends). */
void cuv_held_stop(struct cuv_held *h);

/* The environment of this ask and its text, as the builder gave it but for `cached` and the
 * times, if it is held: a reference, and a copy that is the caller's. NULL: ask the builder. */
struct cuv_held_env *cuv_held_take(struct cuv_held *h, const struct cuv_env_ask *ask, const char *text, size_t len,
				   struct cuv_environment *ret);
/* What the builder gave for it; e is copied, the descriptors are taken over. A reference;
 * NULL, and nothing is taken over, where it is not held. */
struct cuv_held_env *cuv_held_put(struct cuv_held *h, const struct cuv_env_ask *ask, const char *text, size_t len,
				  const struct cuv_environment *e, int *lock, int *lease);
/* Of its lock, borrowed; to be read by position only. */
int cuv_held_lock_fd(const struct cuv_held_env *env);
/* Ends a reference; NULL is none. Always NULL. */
struct cuv_held_env *cuv_held_unref(struct cuv_held_env *env);

#endif
