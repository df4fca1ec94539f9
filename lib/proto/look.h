/* SPDX-License-Identifier: MIT */
/*
 * LOOK_ASK, LOOK, WHICH_ASK and WHICH: what the manager asks of the builder about
 * environments that nobody wants to use just now. Neither counts as a use, keeps
 * anything from being evicted, or makes what is not there.
 *
 *   session: LOOK_ASK → (LOOK | FAILURE); what is not there is ENVIRONMENT_UNKNOWN
 *   session: WHICH_ASK → WHICH
 *
 * LOOK's descriptor is the lock's text, as ENV_READY's is.
 */
#ifndef CUV_LOOK_H
#define CUV_LOOK_H

#include "lib/proto/messages.h"

struct cuv_look_ask {
	char digest[CUV_ENV_DIGEST_SIZE];
};
void cuv_look_ask_put(struct cuv_writer *w, const struct cuv_look_ask *m);
int cuv_look_ask_get(struct cuv_reader *r, struct cuv_look_ask *ret);

struct cuv_look {
	uint64_t closure_bytes;		    /* of its closure's store paths; 0: not known */
	struct cuv_environment environment; /* without date and times */
};
#define CUV_LOOK_INIT ((struct cuv_look){0})
void cuv_look_done(struct cuv_look *m);
#define _cleanup_look_ _cleanup_(cuv_look_done)
void cuv_look_put(struct cuv_writer *w, const struct cuv_look *m);
int cuv_look_get(struct cuv_reader *r, struct cuv_look *ret);

/* Digests: of the ask those in question; of the answer those that are there, in the
 * same order. */
#define CUV_WHICH_MAX 256
struct cuv_which {
	struct cuv_strv digests;
};
#define CUV_WHICH_INIT ((struct cuv_which){0})
void cuv_which_done(struct cuv_which *m);
#define _cleanup_which_ _cleanup_(cuv_which_done)
void cuv_which_put(struct cuv_writer *w, const struct cuv_which *m);
int cuv_which_get(struct cuv_reader *r, struct cuv_which *ret);

#endif
