/* SPDX-License-Identifier: MIT */
/*
 * A launcher and a builder to talk to: those of the service that runs on the
 * state folder, when there is one that we may use, else two of our own that end
 * with us. Jobs go the same way over either.
 */
#ifndef CUV_ATTACH_H
#define CUV_ATTACH_H

#include "cli/crew.h"

struct cuv_attach_spec {
	const char *state;	    /* NULL: the default place */
	const char *allow_degraded; /* for processes of our own; NULL: none */
	bool standalone;	    /* do not use a running service */
	bool launcher_only;	    /* own: do not start a builder */
	bool builder_only;	    /* own: do not start a launcher */
	bool may_build;		    /* own: but for building source distributions, where one can be started */
	bool chores;		    /* own: the builder does chores */
	int cancel_fd;		    /* readable: give up; -1: none */
};

struct cuv_attach {
	struct cuv_state state;
	struct cuv_crew crew; /* nobody in it when attached to a service */
	char instance[CUV_INSTANCE_NAME_SIZE];
	char url[128]; /* of the service, "" when the processes are our own */
};
#define CUV_ATTACH_INIT ((struct cuv_attach){.state = CUV_STATE_INIT, .crew = CUV_CREW_INIT})

/* 0, -EINTR (cancelled), or -errno with err set. ret must be initialised, and
 * closed whatever this returns. */
int cuv_attach_open(const struct cuv_attach_spec *spec, struct cuv_attach *ret, struct cuv_error *err);
/* Ends what was started. */
void cuv_attach_close(struct cuv_attach *a);
/* For jobs; borrows from a. */
struct cuv_peers cuv_attach_peers(const struct cuv_attach *a);

#endif
