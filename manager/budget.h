/* SPDX-License-Identifier: MIT */
/*
 * One number bounds the memory that all requests together may hold. Each
 * request has a charge on the budget, which grows before its buffers do and is
 * given back at its end, or in part when a part of its work is over. Where there are
 * several clients, the requests of one leave a part of it to others. Safe from many threads.
 */
#ifndef CUV_BUDGET_H
#define CUV_BUDGET_H

#include "lib/base/base.h"
#include "lib/base/error.h"

#include <stdatomic.h>

struct cuv_budget {
	size_t max_bytes;
	atomic_size_t used_bytes;
};

void cuv_budget_init(struct cuv_budget *b, size_t max_bytes);

/* What one request holds of a budget; used by one thread. */
struct cuv_charge {
	struct cuv_budget *budget; /* borrowed; NULL: never refuses */
	atomic_size_t *held_bytes; /* borrowed; by all requests of this client. NULL: not counted */
	size_t max_of_one;	   /* bytes */
	bool client_has_all;	   /* that one may have: why it was refused last */
	size_t bytes;
	size_t most_bytes; /* that it has been */
};
#define CUV_CHARGE_INIT(b) ((struct cuv_charge){.budget = (b)})
/* One of a client whose requests hold so much together. shared: there may be others, who
 * are left a part. */
struct cuv_charge cuv_charge_of(struct cuv_budget *b, atomic_size_t *held_bytes, bool shared);
/* A further one, of the same client. */
struct cuv_charge cuv_charge_beside(const struct cuv_charge *c);

/* Asks for more; false when the budget is used up, or what one client may have of it, and
 * then nothing is charged. */
bool cuv_charge_add(struct cuv_charge *c, size_t bytes);
/* What a client is told then: OVERLOADED, of a "request" or an "answer". -1. */
int cuv_budget_exhausted(struct cuv_error *err, const char *what);
/* The same when a charge was asked for last, which knows whose requests hold all of it. */
int cuv_charge_refused(const struct cuv_charge *c, struct cuv_error *err, const char *what);
/* Gives back what is more than this, of which the memory is free again. */
void cuv_charge_back(struct cuv_charge *c, size_t to_bytes);
/* Gives back all of it. */
void cuv_charge_done(struct cuv_charge *c);
#define _cleanup_charge_ _cleanup_(cuv_charge_done)

#endif
