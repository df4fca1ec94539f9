/* SPDX-License-Identifier: MIT */
/*
 * The desk: chores in the order they were asked for, one at a time, and the one that
 * the builder gives itself when an environment was made.
 */
#ifndef CUV_BUILDER_DESK_H
#define CUV_BUILDER_DESK_H

#include "nixenv/builder/chore.h"

#define CUV_DESK_MAX 16

struct cuv_desk_item {
	void *owner; /* who asked: the caller's; NULL: free, or nobody */
	struct cuv_chore_ask ask;
	int fd;
};

struct cuv_desk {
	struct cuv_desk_item item[CUV_DESK_MAX]; /* the first is the one being done */
	size_t n;
	struct cuv_worker worker;
	uint64_t tend_ns; /* when the builder's own is due, or CUV_NEVER */
};
void cuv_desk_init(struct cuv_desk *d);
void cuv_desk_done(struct cuv_desk *d);

/* Takes ask and fd over when it returns 0; -EAGAIN: too many. */
int cuv_desk_add(struct cuv_desk *d, void *owner, struct cuv_chore_ask *ask, int fd);
/* The owner is gone: what it asked for is not wanted any more. */
void cuv_desk_leave(struct cuv_desk *d, void *owner);
/* An environment was made: look at the budget a little later. */
void cuv_desk_tend_later(struct cuv_desk *d);
/* Starts the next chore if none is being done. 0, or -errno: the first one, whose
 * owner is to be told, can't be started. */
int cuv_desk_start(struct cuv_desk *d, const struct cuv_builder *b);
/* The first is done. */
void cuv_desk_next(struct cuv_desk *d);

#endif
