/* SPDX-License-Identifier: MIT */
/*
 * One kept `ruff server`: a run of the launcher's with a stream, in a box like any
 * other, spoken to by one thread, one document at a time. It is thrown away, box
 * and all, for whatever it does that was not expected.
 */
#ifndef CUV_RUFF_SERVER_H
#define CUV_RUFF_SERVER_H

#include "manager/job.h"
#include "manager/ruff/cache.h"
#include "manager/ruff/lsp.h"

struct cuv_ruff_server {
	int stream;  /* -1: there is none */
	int session; /* the run's; closing it ends the box */
	struct cuv_lsp_reader reader;
	uint64_t last_id; /* that was given out last */
	bool open;	  /* it has its one document, */
	bool holds;	  /* with somebody's text in it */
	uint64_t born_ns;
	uint32_t documents; /* so far */
};
void cuv_ruff_server_init(struct cuv_ruff_server *s);

static inline bool cuv_ruff_server_lives(const struct cuv_ruff_server *s)
{
	return s->stream >= 0;
}

/* Starts one and has it work through a document, so that the first real one finds
 * it warm. 0, or -errno with none there. */
int cuv_ruff_server_start(struct cuv_ruff_server *s, const struct cuv_peers *peers, const struct cuv_tools *tools);
/* Ends it, if there is one. */
void cuv_ruff_server_stop(struct cuv_ruff_server *s);
/* Looks, without waiting, whether it is still there; if not, there is none from
 * here on. */
bool cuv_ruff_server_check(struct cuv_ruff_server *s);
/* The same, when nothing is to be done: it is left without the last text. */
bool cuv_ruff_server_rest(struct cuv_ruff_server *s);
/* Formats and checks code; ret must be initialised. 0; -errno when it failed, and
 * then there is no server any more. */
int cuv_ruff_server_ask(struct cuv_ruff_server *s, const char *code, size_t len, struct cuv_ruff_report *ret);

#endif
