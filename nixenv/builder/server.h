/* SPDX-License-Identifier: MIT */
/*
 * The builder's loop: one thread, poll(2), sessions and flights.
 *
 * A session is open (it may ask once), waiting (for a flight) or answered (it
 * stays open as long as its client uses the environment). Anything else that it
 * sends closes it.
 */
#ifndef CUV_BUILDER_SERVER_H
#define CUV_BUILDER_SERVER_H

#include "nixenv/builder/builder.h"

#define CUV_BUILDER_SESSIONS_MAX 1088

struct cuv_server_fds {
	int supervisor; /* hung up: the server ends; -1: none */
	int control;	/* the manager's, with SESSION_OPEN; -1: none */
	int listener;	/* -1: none */
	bool chores;	/* control is the user's own: it may ask for chores */
	unsigned uid;	/* whose connections are accepted besides root's */
};

struct cuv_share;

/* Serves until the supervisor (or stop_fd, readable) says to end; all workers are
 * ended then. share may be NULL: nothing is shared. Takes the descriptors over. 0 or -errno. */
int cuv_server_run(const struct cuv_builder *b, const struct cuv_server_fds *fds, struct cuv_share *share, int stop_fd);

#endif
