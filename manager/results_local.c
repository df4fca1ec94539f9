/* SPDX-License-Identifier: MIT */
/* Results in the service's database. */
#include "manager/backends.h"
#include "manager/runs_store.h"

#include <stdlib.h>

struct local {
	struct cuv_results results;
	struct cuv_store *store; /* borrowed */
};

static struct local *of(struct cuv_results *r)
{
	return (struct local *)r;
}

static int end(struct cuv_results *r, const char *id, enum cuv_runs_state state, int64_t now_s, const char *answer,
	       size_t len, struct cuv_error *err)
{
	return cuv_runs_store_end(of(r)->store, id, state, now_s, answer, len, err);
}

static int get(struct cuv_results *r, const char *id, const char *tenant, struct cuv_runs_row *ret,
	       struct cuv_charge *charge, struct cuv_buf *answer, struct cuv_error *err)
{
	return cuv_runs_store_get(of(r)->store, id, tenant, ret, charge, answer, err);
}

static int list(struct cuv_results *r, const char *tenant, unsigned states, int64_t since_s, const char *after,
		uint32_t max, void (*each)(void *arg, const struct cuv_runs_row *row), void *arg, struct cuv_error *err)
{
	return cuv_runs_store_list(of(r)->store, tenant, states, since_s, after, max, each, arg, err);
}

static int interrupt(struct cuv_results *r, int64_t now_s, const char *answer, struct cuv_error *err)
{
	return cuv_runs_store_interrupt(of(r)->store, now_s, answer, err);
}

static int expire(struct cuv_results *r, int64_t before_s, uint64_t max_bytes, uint64_t max_n, struct cuv_error *err)
{
	return cuv_runs_store_expire(of(r)->store, before_s, max_bytes, max_n, err);
}

static void close_local(struct cuv_results *r)
{
	free(of(r));
}

struct cuv_results *cuv_results_local_new(struct cuv_store *store)
{
	struct local *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->store = store;
	l->results = (struct cuv_results){
		.end = end, .get = get, .list = list, .interrupt = interrupt, .expire = expire, .close = close_local};
	return &l->results;
}
