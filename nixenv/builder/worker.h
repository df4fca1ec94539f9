/* SPDX-License-Identifier: MIT */
/*
 * A worker: the process that makes one environment, with everything that it
 * starts, in a pid namespace of its own. Its first process is pid 1 there: when
 * that dies, by whatever hand, the kernel ends the rest. It dies with a parent
 * that does nothing but wait for it, and that one with the builder.
 *
 * It sends ENV_PROGRESS frames and at last ENV_READY or FAILURE on its socket; a chore
 * sends what the chore says.
 */
#ifndef CUV_BUILDER_WORKER_H
#define CUV_BUILDER_WORKER_H

#include "nixenv/builder/builder.h"
#include "nixenv/builder/index.h"

struct cuv_worker {
	pid_t pid; /* 0: none */
	int sock;  /* non-blocking; -1: none */
	char work[PATH_MAX];
};
#define CUV_WORKER_INIT ((struct cuv_worker){.sock = -1})

/* Starts one; the pointers are borrowed until it returns. 0 or -errno. */
int cuv_worker_start(const struct cuv_builder *b, const struct cuv_env_ask *ask, const struct cuv_key *key,
		     const char *canonical, size_t len, struct cuv_worker *ret);

/* Another kind of work, in the same kind of process: do_it gets the socket (blocking)
 * to answer on, an empty folder of its own, and a descriptor that it was given (-1:
 * none, else borrowed). */
struct cuv_worker_chore {
	void (*do_it)(const struct cuv_builder *b, const struct cuv_worker_chore *c, int sock, const char *work,
		      int fd);
	const void *arg; /* a copy comes along with the process */
	int fd;
};
int cuv_worker_start_chore(const struct cuv_builder *b, const struct cuv_worker_chore *c, struct cuv_worker *ret);
/* Ends it if it still runs, reaps it, and removes its folder. */
void cuv_worker_stop(struct cuv_worker *w);

#endif
