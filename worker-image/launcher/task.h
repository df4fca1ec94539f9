/* SPDX-License-Identifier: MIT */
/* A run on its way from the client to its box: what was asked for, and the
 * descriptors that came with it. */
#ifndef CUV_LAUNCHER_TASK_H
#define CUV_LAUNCHER_TASK_H

#include "lib/proto/messages.h"

struct cuv_task {
	struct cuv_run run;
	int session;		    /* owned; -1: none */
	int fds[2 + CUV_FILES_MAX]; /* owned: stdin, then the files as run.files, then their bundle */
	size_t n_fds;
	uint64_t came_ns;		  /* when the request was read */
	bool retried;			  /* it was given back once */
	char why_cold[CUV_WHY_COLD_SIZE]; /* why it is not to be forked from a zygote; "" when it is */
};

/* Takes a RUN frame apart; session is taken over when it succeeds. 0, or
 * -EBADMSG when it is not well-formed. */
int cuv_task_from_frame(struct cuv_frame *f, int session, struct cuv_task *ret);
/* Closes and frees what it holds; and, of one on the heap or NULL, itself. */
void cuv_task_done(struct cuv_task *t);
void cuv_task_free(struct cuv_task *t);

/* Over a socket between the launcher and a keeper, descriptors included (the
 * sender keeps its own). 0 or -errno; receiving waits, and gives 1 when the
 * other side is closed. */
int cuv_task_send(const struct cuv_task *t, int sock);
int cuv_task_recv(int sock, struct cuv_task *ret);

/* Looks at the descriptors: regular files open for reading, no larger than they
 * may be, and such that all fit into the work folder; a stream is a socket. 0, or -EINVAL with err
 * set. */
int cuv_task_check_fds(const struct cuv_task *t, struct cuv_error *err);

#endif
