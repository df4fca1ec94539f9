/* SPDX-License-Identifier: MIT */
/*
 * CHORE_ASK and CHORE_ANSWER: what `cuvette env` asks of the builder beside
 * environments: which there are, room, pins, proof. The builder does chores for its
 * listening socket's clients (the user who started it), never for the manager.
 *
 *   session: CHORE_ASK → ENV_PROGRESS* (CHORE_ANSWER | FAILURE)
 *
 * The ask's descriptor is what the chore reads or writes (EXPORT, IMPORT: a parcel, at
 * its beginning), else any file (/dev/null). The answer's holds JSON.
 */
#ifndef CUV_CHORE_H
#define CUV_CHORE_H

#include "lib/proto/messages.h"

/* X(enum suffix, "name", "what it does") */
#define CUV_CHORE_TABLE(X)                                                                                             \
	X(LIST, "list", "the environments there are")                                                                  \
	X(GC, "gc", "evict what passes the budget, collect what nobody needs")                                         \
	X(PIN, "pin", "these are not evicted")                                                                         \
	X(UNPIN, "unpin", "these may be evicted again")                                                                \
	X(VERIFY, "verify", "hash these (none named: all) again; take away what is damaged")                           \
	X(EXPORT, "export", "write a parcel of this one to the descriptor")                                            \
	X(IMPORT, "import", "make the environment of the parcel that the descriptor gives")                            \
	X(TEND, "tend", "what the builder does by itself when an environment was made")
enum cuv_chore_verb {
	_CUV_CHORE_NONE,
#define X(suffix, name, text) CUV_CHORE_##suffix,
	CUV_CHORE_TABLE(X)
#undef X
		_CUV_CHORE_MAX,
};
const char *cuv_chore_name(enum cuv_chore_verb v);

#define CUV_CHORE_DIGESTS_MAX 256
#define CUV_CHORE_ANSWER_MAX (64u * 1024u * 1024u)
#define CUV_CHORE_OWN_BUDGET UINT64_MAX
struct cuv_chore_ask {
	enum cuv_chore_verb verb;
	struct cuv_strv digests;
	/* GC: a budget in place of the builder's, 0 is none at all; or CUV_CHORE_OWN_BUDGET. */
	uint64_t bytes;
	uint64_t count;
};
#define CUV_CHORE_ASK_INIT ((struct cuv_chore_ask){.bytes = CUV_CHORE_OWN_BUDGET, .count = CUV_CHORE_OWN_BUDGET})
void cuv_chore_ask_done(struct cuv_chore_ask *m);
#define _cleanup_chore_ask_ _cleanup_(cuv_chore_ask_done)
void cuv_chore_ask_put(struct cuv_writer *w, const struct cuv_chore_ask *m);
/* -EBADMSG for TEND too: it is nobody's to ask for. */
int cuv_chore_ask_get(struct cuv_reader *r, struct cuv_chore_ask *ret);

#endif
