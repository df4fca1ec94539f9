/* SPDX-License-Identifier: MIT */
/* What is known of a run that is answered later besides its request and its answer. */
#ifndef CUV_RUNS_ROW_H
#define CUV_RUNS_ROW_H

#include "lib/base/hash.h"
#include "manager/keys.h"

/* X(enum suffix, number, "name", "what it means"); the numbers are kept in files. */
#define CUV_RUNS_STATE_TABLE(X)                                                                                        \
	X(QUEUED, 1, "queued", "it waits for its turn")                                                                \
	X(RESOLVING, 2, "resolving", "it has begun: its environment is looked for")                                    \
	X(BUILDING, 3, "building", "its environment is downloaded and made")                                           \
	X(RUNNING, 4, "running", "the program runs")                                                                   \
	X(DONE, 5, "done", "there is a result")                                                                        \
	X(FAILED, 6, "failed", "there is an error")                                                                    \
	X(CANCELLED, 7, "cancelled", "it was cancelled")
enum cuv_runs_state {
#define X(suffix, number, name, text) CUV_RUNS_##suffix = (number),
	CUV_RUNS_STATE_TABLE(X)
#undef X
};
const char *cuv_runs_state_name(enum cuv_runs_state s);
static inline bool cuv_runs_has_ended(enum cuv_runs_state s)
{
	return s >= CUV_RUNS_DONE;
}

/* What kind of request it is. X(enum suffix, number); the numbers are kept in files. */
#define CUV_RUNS_KIND_TABLE(X)                                                                                         \
	X(RUN, 0)     /* of POST /api/v1/run; the request is a form (form_pack.h) */                                   \
	X(INSTALL, 2) /* packages of a session, and */                                                                 \
	X(EXECUTE, 3) /* a program in one; the request is JSON (dialect/sessions.h) */
enum cuv_runs_kind {
#define X(suffix, number) CUV_RUNS_KIND_##suffix = (number),
	CUV_RUNS_KIND_TABLE(X)
#undef X
};

/* A plain value. */
struct cuv_runs_row {
	char id[CUV_ID_HEX_SIZE];
	char tenant[CUV_KEY_ID_SIZE]; /* whose it is */
	enum cuv_runs_kind kind;
	int64_t session;  /* whose runs take turns (sessions.h); 0: of none */
	const char *task; /* what its client calls it, borrowed, where it is added; else NULL */
	char request_id[CUV_ID_HEX_SIZE];
	enum cuv_runs_state state; /* of those that have begun and not ended, RESOLVING */
	int64_t accepted_s;
	int64_t ended_s; /* 0: it has not */
};

#endif
