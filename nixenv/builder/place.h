/* SPDX-License-Identifier: MIT */
/*
 * Places: how many on a state folder may do at once what takes memory and processors.
 * Flights wait in many ways (for the network, for a box, for a build), and hold a place
 * only while they don't: a slow index or a build without end is nobody else's delay.
 * Each place is a lock file, so that it is free again whatever becomes of its holder.
 *
 * Who holds one asks for no other; but a flight's guess (guess.h) may have one, which ends
 * by itself.
 */
#ifndef CUV_BUILDER_PLACE_H
#define CUV_BUILDER_PLACE_H

#include "nixenv/builder/builder.h"

/* X(enum suffix, "file name", number, "for what") */
#define CUV_PLACE_TABLE(X)                                                                                             \
	X(RESOLVE, "resolve", 4, "the resolver")                                                                       \
	X(INSTALL, "install", 2, "installing wheels")
enum cuv_place_kind {
#define X(suffix, name, number, text) CUV_PLACE_##suffix,
	CUV_PLACE_TABLE(X)
#undef X
		_CUV_PLACE_KIND_MAX,
};

/* Waits for one until the deadline: a descriptor that holds it until it is closed, the
 * caller's; -EINVAL with err: OVERLOADED (it was not free in time),
 * CANCELLED (cancel_fd is readable or hung up; -1: none), or what the system says. */
int cuv_place_take(const struct cuv_builder *b, enum cuv_place_kind place, uint64_t deadline_ns, int cancel_fd,
		   struct cuv_error *err);

#endif
