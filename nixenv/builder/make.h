/* SPDX-License-Identifier: MIT */
/*
 * Making one environment, step by step: requirements → lock → wheels → build →
 * link. Runs in a worker, which may be killed at any point: every step leaves
 * only what is whole (see state.h), and the next one starts from there.
 */
#ifndef CUV_BUILDER_MAKE_H
#define CUV_BUILDER_MAKE_H

#include "lib/base/clock.h"
#include "nixenv/builder/builder.h"
#include "nixenv/builder/index.h"

/* All borrowed. */
struct cuv_make {
	const struct cuv_builder *builder;
	struct cuv_env_ask ask; /* exclude_s is a date, not 0 */
	struct cuv_key key;
	const char *canonical; /* requirements, or a lock: as ask.source says */
	size_t canonical_len;
	const struct cuv_strv *wheels; /* files of a lock's wheels, in its order, with the right hashes; they are
					* taken. NULL: they are fetched */
	const char *work;	       /* an empty folder of its own */
	int launcher;		       /* control socket of the launcher; -1: none, nothing foreign can be built */
	unsigned depth;		       /* 0 for what was asked for; more for what is needed to build that */
	uint64_t deadline_ns;	       /* of all of it, however deep */
	int cancel_fd;
	void (*on_progress)(void *arg, const struct cuv_env_progress *p);
	void *arg;
};

/* What ask allows for both steps together: the whole time of a flight. */
static inline uint64_t cuv_make_ms(const struct cuv_env_ask *ask)
{
	return (uint64_t)ask->resolve_ms + ask->build_ms;
}

/* The end of a step that may take this long, and no longer than what is left. */
static inline uint64_t cuv_make_step(const struct cuv_make *m, uint64_t ms)
{
	return CUV_MIN(cuv_deadline_ms(ms), m->deadline_ns);
}

/* 0; -EINVAL with err. ret must be empty. */
int cuv_make_environment(const struct cuv_make *m, struct cuv_environment *ret, struct cuv_error *err);

#endif
