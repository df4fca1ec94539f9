/* SPDX-License-Identifier: MIT */
/*
 * What state the parts of the service are in, as launcher and builder tell.
 * Asked for at most once a second, however many clients want to know; safe from
 * many threads.
 */
#ifndef CUV_HEALTH_H
#define CUV_HEALTH_H

#include "manager/isolation.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

struct cuv_health_state {
	struct cuv_layers layers;
	struct cuv_error layers_error; /* code NONE: layers are as of now; else as last told */
	struct cuv_tools tools;
	struct cuv_error tools_error;
	uint64_t asked_ns;
};

/* One that does not change any more, and lives while somebody looks at it. */
struct cuv_health_view {
	struct cuv_health_state state;
	atomic_uint refs;
};

struct cuv_health {
	const struct cuv_peers *peers; /* borrowed */
	bool landlock;		       /* the manager itself is under it */
	pthread_mutex_t asking;
	pthread_mutex_t lock;
	struct cuv_health_state state; /* under lock */
	struct cuv_health_view *view;  /* under lock; what state was when it was asked for; NULL: none yet */
};

void cuv_health_init(struct cuv_health *h, const struct cuv_peers *peers, bool landlock);
void cuv_health_done(struct cuv_health *h);

/* Asks now, waiting at most timeout_ms for each answer. */
void cuv_health_ask(struct cuv_health *h, uint32_t timeout_ms);
/* What is known; asked anew when older than max_age_ms (UINT32_MAX: never). */
void cuv_health_get(struct cuv_health *h, uint32_t max_age_ms, struct cuv_health_state *ret);

/* What is known, for as long as it is looked at, as many as there are: it is large. NULL
 * without memory. */
struct cuv_health_view *cuv_health_look(struct cuv_health *h);
/* NULL is let be. */
void cuv_health_unlook(struct cuv_health_view *v);

/* Whether runs can be served. */
bool cuv_health_is_serving(const struct cuv_health_state *s);
/* The `components` of GET /health; a new reference. */
json_t *cuv_health_components(const struct cuv_health_state *s, enum cuv_sharing sharing, uint32_t running,
			      uint32_t running_max);

#endif
