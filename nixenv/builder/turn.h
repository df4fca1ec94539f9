/* SPDX-License-Identifier: MIT */
/*
 * Turns: a request is worked on by one maker at a time, whichever builder's. Flights see
 * to that within one builder (flight.h); a service and commands by themselves are
 * several on one state folder. Who comes second waits, and finds what the first has made.
 */
#ifndef CUV_BUILDER_TURN_H
#define CUV_BUILDER_TURN_H

#include "nixenv/builder/make.h"

struct cuv_turn {
	const struct cuv_make *m;
	int fd; /* -1: none */
};

/* Waits until m->deadline_ns. 0; -EINVAL with err: OVERLOADED, CANCELLED, or what the
 * system says. */
int cuv_turn_take(const struct cuv_make *m, struct cuv_turn *ret, struct cuv_error *err);
void cuv_turn_done(struct cuv_turn *t);
#define _cleanup_turn_ _cleanup_(cuv_turn_done)

#endif
